import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { auditStore } from '../../../src/jobs/audit/run-audit.js'
import type { JobEvent } from '../../../src/jobs/journal/event.js'
import type { RunningManager } from '../../../src/jobs/manager.js'
import { openMemoryStore } from '../../../src/store/memory-store.js'
import type { Store } from '../../../src/store/store.js'
import { createFakeScheduler, type FakeScheduler } from '../../helpers/fake-scheduler.js'
import { startManager, submitRequest, untilStatus } from '../../helpers/manager.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { waitFor } from '../../helpers/wait-for.js'

let root: string
let store: Store
let scheduler: FakeScheduler
let running: RunningManager

async function start(): Promise<void> {
  running = await startManager(root, scheduler, { store })
  await running.load()
  await running.recover()
}

beforeEach(async () => {
  root = await tempDirectory()
  store = openMemoryStore()
  scheduler = createFakeScheduler()
  await start()
  return () => running.close()
})

async function submit(id: string): Promise<void> {
  await running.manager.setup({ jobId: id, toolId: undefined, toolVersion: undefined })
  await running.manager.submit(id, submitRequest('true'))
  await waitFor(() => running.context.jobs.get(id)?.externalId, { what: 'launch' })
}

async function kinds(id: string): Promise<string[]> {
  const found: string[] = []
  for await (const [, event] of store.entries<JobEvent>('journal/'))
    if (event.job === id) found.push(event.kind === 'state' ? event.to : event.kind)
  return found
}

async function violations(): Promise<unknown> {
  return (await auditStore(store, [running.context.config])).violations
}

/** The store as a server that is killed now leaves it. */
async function copyOfStore(): Promise<Store> {
  const copy = openMemoryStore()
  for await (const [key, value] of store.entries('')) await copy.write([{ type: 'put', key, value }])
  return copy
}

it('a submit that was acknowledged is launched by the next server when this one is killed at once', async () => {
  scheduler.down = true
  await running.manager.setup({ jobId: '1', toolId: undefined, toolVersion: undefined })
  await running.manager.submit('1', submitRequest('true'))
  const left = await copyOfStore()
  const next = createFakeScheduler()
  const second = await startManager(root, next, { store: left })
  await second.load()
  await second.recover()
  await waitFor(() => next.submitted.length > 0, { what: 'launch by the next server' })
  expect((await auditStore(left, [second.context.config])).violations).toEqual([])
  await second.close()
})

it('a job that is cancelled while the scheduler takes it is stopped as soon as it has an id', async () => {
  let taken = (): void => {}
  const taking = new Promise<void>((resolve) => {
    taken = resolve
  })
  const { submit } = scheduler
  let isAsked = false
  scheduler.submit = async (job, signal) => {
    isAsked = true
    await taking
    return submit(job, signal)
  }
  await running.manager.setup({ jobId: '1', toolId: undefined, toolVersion: undefined })
  await running.manager.submit('1', submitRequest('true'))
  await waitFor(() => isAsked, { what: 'submit to the scheduler' })
  await running.manager.cancel('1')
  taken()
  await waitFor(() => scheduler.cancelled.includes('x-1'), { what: 'cancel at the scheduler' })
  expect(await violations()).toEqual([])
})

describe('the things that happen to a job', () => {
  it('are in the journal, and an audit finds nothing', async () => {
    await submit('1')
    writeFileSync(running.context.events.file('started', '1'), '')
    await untilStatus(running, '1', 'running')
    writeFileSync(path.join(root, 'jobs', '1', 'return_code'), '3\n')
    writeFileSync(running.context.events.file('ended', '1'), '')
    await untilStatus(running, '1', 'complete')
    await running.manager.clean('1')
    await running.manager.clean('1')
    expect(await kinds('1')).toEqual(['submitted', 'queued', 'launched', 'running', 'ended', 'cleaned'])

    await submit('2')
    await running.manager.cancel('2')
    expect(await violations()).toEqual([])
    scheduler.report('x-2', { state: 'ended' })
    await waitFor(() => !running.context.jobs.has('2'), { what: 'end of the job' })
    expect(await kinds('2')).toEqual(['submitted', 'queued', 'launched', 'cancelled', 'stopped'])

    await submit('3')
    scheduler.report('x-3', { state: 'ended', failure: 'Slurm ended it' })
    await untilStatus(running, '3', 'failed')
    expect(await violations()).toEqual([])
    await running.manager.clean('unheard-of')
    expect(await kinds('unheard-of')).toEqual([])
  })

  it('are there after a restart too: what the scheduler has, and what it has not', async () => {
    await submit('1')
    await submit('2')
    await running.close()
    scheduler.known.set('1', 'x-1')
    await start()
    await waitFor(() => running.context.jobs.get('2')?.externalId, { what: 'second launch' })
    expect((await kinds('1')).slice(3)).toEqual(['handed-over', 'found-again'])
    expect((await kinds('2')).slice(3)).toEqual(['handed-over', 'launch-again', 'launched'])
    expect(await violations()).toEqual([])
  })

  it('are found to be broken when a job is launched again that had begun', async () => {
    await submit('1')
    await running.close()
    writeFileSync(path.join(root, 'jobs', '1', 'started'), ':1:1:a\n')
    await start()
    await waitFor(() => running.context.jobs.get('1')?.externalId, { what: 'second launch' })
    expect(await violations()).toMatchObject([{ rule: 'launched-once', job: '1' }])
  })
})
