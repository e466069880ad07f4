import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { beginKey } from '../../src/jobs/begin-note.js'
import type { RunningManager } from '../../src/jobs/manager.js'
import { activeKey, type JobRecord } from '../../src/jobs/record.js'
import { silentLogger } from '../../src/lib/log.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import type { Scheduler } from '../../src/schedulers/scheduler.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { createFakeScheduler, type FakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

let root: string
let scheduler: FakeScheduler
let store: Store
let running: RunningManager
const file = (name: string, id = '7'): string => path.join(root, 'jobs', id, name)

beforeEach(async () => {
  root = await tempDirectory()
  scheduler = createFakeScheduler()
  // What a server that is gone has left; its own close() would forget it.
  store = Object.assign(openMemoryStore(), { close: async () => {} })
  running = await start('boot-1')
  return () => running.close()
})

function start(bootId: string, with_: Scheduler = scheduler, places = 1): Promise<RunningManager> {
  return startManager(root, with_, { store, bootId, config: { numConcurrentJobs: places } })
}

async function submit(id: string, command = 'true'): Promise<void> {
  await running.manager.setup({ jobId: id, toolId: undefined, toolVersion: undefined })
  await running.manager.submit(id, submitRequest(command))
}

/** The machine is gone and comes back; nobody has stopped the server. */
async function startAnew(bootId = 'boot-2', with_: Scheduler = scheduler): Promise<void> {
  const before = running
  running = await start(bootId, with_)
  await running.load()
  await running.recover()
  await before.close()
}

describe('after the machine went down', () => {
  it('a job that had a place is lost, with that reason, and not run a second time', async () => {
    await submit('7')
    await waitFor(() => scheduler.submitted.length === 1, { what: 'launch' })
    await startAnew()
    expect(await running.manager.status('7')).toMatchObject({
      status: 'lost',
      stderr: expect.stringContaining('The machine went down while the job ran'),
    })
    expect(scheduler.submitted).toHaveLength(1)
    expect(await store.get(beginKey('_default_', '7'))).toBeUndefined()
  })

  it('a job that had left a return code is failed: its results may not have reached the disk', async () => {
    await submit('7')
    await waitFor(() => scheduler.submitted.length === 1, { what: 'launch' })
    writeFileSync(file('return_code'), '0\n')
    const ended = running.context.events.file('ended', '7')
    // The server had gone before it could see this.
    running.context.jobs.clear()
    writeFileSync(ended, '')
    await startAnew()
    expect(await running.manager.status('7')).toMatchObject({
      status: 'failed',
      stderr: expect.stringContaining('before the results of the job were on its disk'),
    })
    expect(existsSync(ended)).toBe(false)
  })

  it('a job whose results were put on the disk by who waited for it is complete', async () => {
    await submit('7')
    await waitFor(() => scheduler.submitted.length === 1, { what: 'launch' })
    writeFileSync(file('return_code'), '3\n')
    writeFileSync(file('.magnetar-synced'), '')
    await startAnew()
    expect(await running.manager.status('7')).toMatchObject({ status: 'complete', returncode: 3 })
    expect(scheduler.submitted).toHaveLength(1)
  })

  it('a job that waited for a place is launched', async () => {
    await submit('7')
    await submit('8')
    expect(await store.get(beginKey('_default_', '7'))).toEqual({ bootId: 'boot-1' })
    expect(await store.get(beginKey('_default_', '8'))).toBeUndefined()
    scheduler.submitted.length = 0
    await startAnew()
    await waitFor(() => scheduler.submitted.length === 1, { what: 'launch' })
    expect(scheduler.submitted.map(({ jobId }) => jobId)).toEqual(['8'])
  })

  it('a job whose outputs were being delivered fails, unless they had been put on the disk', async () => {
    await submit('7')
    await submit('8')
    for (const [id, synced] of [
      ['7', {}],
      ['8', { synced: true }],
    ] as const) {
      const record = await store.get<JobRecord>(activeKey('_default_', id))
      const value = { ...record, status: 'postprocessing', stagesOut: true, end: { status: 'complete' } }
      await store.write([
        { type: 'put', key: activeKey('_default_', id), value },
        { type: 'put', key: beginKey('_default_', id), value: { bootId: 'boot-1', ...synced } },
      ])
      writeFileSync(file('return_code', id), '0\n')
    }
    await startAnew()
    await untilStatus(running, '7', 'failed')
    await untilStatus(running, '8', 'complete')
  })

  it('counts for nothing where jobs run on other machines', async () => {
    await running.close()
    running = await start('')
    await submit('9')
    await waitFor(() => scheduler.submitted.length === 1, { what: 'launch' })
    expect(await store.get(beginKey('_default_', '9'))).toBeUndefined()
    writeFileSync(file('return_code', '9'), '0\n')
    scheduler.known.set('9', 'x-9')
    await startAnew('')
    scheduler.report('x-9', { state: 'ended' })
    await untilStatus(running, '9', 'complete')
  })
})

describe('a restart of the server alone', () => {
  it('launches what had a place and never began, as before', async () => {
    await submit('7')
    await startAnew('boot-1')
    await waitFor(() => scheduler.submitted.length === 2, { what: 'second launch' })
    expect((await running.manager.status('7')).status).toBe('queued')
  })
})

describe('a job that waited', () => {
  it('is begun only when that is on the disk', async () => {
    const local = createLocalScheduler({ limit: 1 }, silentLogger)
    await running.close()
    const order: string[] = []
    const write = store.write.bind(store)
    store.write = async (changes, options) => {
      for (const change of changes) {
        if (change.type === 'put' && change.key === beginKey('_default_', '8'))
          order.push(existsSync(file('ran', '8')) ? 'late' : 'noted', String(options?.lazy ?? false))
      }
      await write(changes, options)
    }
    running = await start('boot-1', local)
    await submit('7', `until [ -e ${file('go')} ]; do sleep 0.02; done`)
    await submit('8', `echo > ${file('ran', '8')}`)
    expect(order).toEqual([])
    writeFileSync(file('go'), '')
    await untilStatus(running, '8', 'complete')
    expect(order).toEqual(['noted', 'false'])
    expect(readFileSync(file('return_code', '8'), 'utf8')).toBe('0\n')
  })
})
