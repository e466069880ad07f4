import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { auditStore } from '../../src/jobs/audit/run-audit.js'
import { noteReport } from '../../src/jobs/judge.js'
import type { RunningManager } from '../../src/jobs/manager.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { createFakeScheduler, type FakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

// A cluster that was started anew without its state, or that was not asked until it had forgotten the job.

let root: string
let store: Store
let scheduler: FakeScheduler
let running: RunningManager

const job = (name: string): string => path.join(root, 'jobs', '7', name)
const FORGOTTEN = { state: 'gone', forgotten: true } as const

async function start(): Promise<void> {
  running = await startManager(root, scheduler, { store, config: { type: 'slurm' } })
  await running.load()
  await running.recover()
}

const launches = (count: number): Promise<boolean> =>
  waitFor(() => scheduler.submitted.length === count && running.context.jobs.get('7')?.externalId === 'x-7', {
    what: `launch ${count}`,
  })

beforeEach(async () => {
  root = await tempDirectory()
  store = openMemoryStore()
  scheduler = createFakeScheduler()
  await start()
  await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
  await running.manager.submit('7', submitRequest('true'))
  await launches(1)
  return () => running.close()
})

async function expectLost(): Promise<void> {
  await untilStatus(running, '7', 'lost')
  expect(scheduler.submitted).toHaveLength(1)
}

describe('a job that the scheduler has forgotten', () => {
  it('is launched again when it never began, and ends as ever', async () => {
    scheduler.report('x-7', FORGOTTEN)
    await launches(2)
    expect((await running.manager.status('7')).status).toBe('queued')
    writeFileSync(job('return_code'), '0\n')
    scheduler.report('x-7', { state: 'ended' })
    await untilStatus(running, '7', 'complete')
    expect((await auditStore(store, [running.context.config])).violations).toEqual([])
  })

  it('is launched again, too, when a server finds that after its start', async () => {
    await running.close()
    scheduler.known.set('7', 'x-7')
    await start()
    scheduler.report('x-7', FORGOTTEN)
    await launches(2)
  })

  it('is cancelled when that is wanted before it is launched again', async () => {
    scheduler.down = true
    const { context } = running
    await noteReport(context, '7', 'x-7', FORGOTTEN)
    await running.manager.cancel('7')
    await waitFor(() => !context.jobs.has('7'), { what: 'end of the job' })
    scheduler.down = false
    expect((await running.manager.status('7')).status).toBe('cancelled')
    expect(scheduler.submitted).toHaveLength(1)
  })

  it('is lost when its script has begun', async () => {
    writeFileSync(job('started'), '7:1:1:a\n')
    scheduler.report('x-7', FORGOTTEN)
    await waitFor(() => running.context.jobs.get('7')?.externalId === '7', {
      what: 'the id that it ran under',
    })
    scheduler.report('7', FORGOTTEN)
    await expectLost()
  })

  it('is lost when it was seen running', async () => {
    scheduler.report('x-7', { state: 'running' })
    await untilStatus(running, '7', 'running')
    scheduler.report('x-7', FORGOTTEN)
    await expectLost()
  })

  it('is lost when its script is one of a Python server, which would run a second time', async () => {
    writeFileSync(job('command.sh'), '#!/bin/bash\ntrue\n')
    scheduler.report('x-7', FORGOTTEN)
    await expectLost()
  })

  it('is lost when somebody may have removed it', async () => {
    scheduler.report('x-7', { state: 'gone' })
    await expectLost()
  })

  it('is lost, with that reason, when it is forgotten again and again', async () => {
    for (const count of [1, 2, 3, 4]) {
      await launches(count)
      scheduler.report('x-7', FORGOTTEN)
    }
    await untilStatus(running, '7', 'lost')
    expect((await running.manager.status('7')).stderr).toContain('each of the 4 times')
    expect(scheduler.submitted).toHaveLength(4)
  })
})

it('an answer about an id that a job no longer has is passed over', async () => {
  await noteReport(running.context, '7', 'x-6', { state: 'ended', failure: 'another one' })
  expect((await running.manager.status('7')).status).toBe('queued')
})
