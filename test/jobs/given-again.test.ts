import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { auditStore } from '../../src/jobs/audit/run-audit.js'
import type { RunningManager } from '../../src/jobs/manager.js'
import { startMonitor } from '../../src/jobs/monitor.js'
import { activeKey, type JobRecord } from '../../src/jobs/record.js'
import { silentLogger } from '../../src/lib/log.js'
import { SchedulerDown } from '../../src/schedulers/scheduler.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { createFakeScheduler, type FakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

// A cluster whose controller was killed and came back without its newest state: the id of job 1 is given to job 2.

let root: string
let store: Store
let scheduler: FakeScheduler
let running: RunningManager
let ids: string[]
let monitor: { stop(): void } | undefined

const file = (jobId: string, name: string): string => path.join(root, 'jobs', jobId, name)
const audit = async () => (await auditStore(store, [running.context.config])).violations

async function start(): Promise<void> {
  running = await startManager(root, scheduler, { store, config: { type: 'slurm' } })
  await running.load()
  await running.recover()
  monitor?.stop()
  monitor = startMonitor([running.context], silentLogger)
}

async function submit(jobId: string): Promise<void> {
  await running.manager.setup({ jobId, toolId: undefined, toolVersion: undefined })
  await running.manager.submit(jobId, submitRequest('true'))
  await waitFor(() => running.context.jobs.get(jobId)?.externalId, { what: `launch of ${jobId}` })
}

beforeEach(async () => {
  root = await tempDirectory()
  store = openMemoryStore()
  scheduler = createFakeScheduler()
  ids = ['188', '188', '190']
  scheduler.submit = async (job) => {
    scheduler.submitted.push(job)
    return ids[scheduler.submitted.length - 1] ?? ''
  }
  await start()
  await submit('1')
  return () => {
    monitor?.stop()
    return running.close()
  }
})

describe('a job whose id the scheduler has given to another', () => {
  it('is launched again when it never began, and does not end as the other does', async () => {
    await submit('2')
    await waitFor(() => running.context.jobs.get('1')?.externalId === '190', { what: 'second launch' })
    writeFileSync(file('2', 'return_code'), '0\n')
    scheduler.report('188', { state: 'ended', exitCode: 0 })
    await untilStatus(running, '2', 'complete')
    expect((await running.manager.status('1')).status).toBe('queued')
    writeFileSync(file('1', 'return_code'), '3\n')
    scheduler.report('190', { state: 'ended', exitCode: 3 })
    await untilStatus(running, '1', 'complete')
    expect(await audit()).toEqual([])
  })

  it('is lost when it had begun', async () => {
    writeFileSync(file('1', 'started'), '188:1:2:ab-cd\n')
    await submit('2')
    await untilStatus(running, '1', 'lost')
    expect(scheduler.submitted).toHaveLength(2)
    expect(running.context.jobs.get('2')?.externalId).toBe('188')
    expect(await audit()).toEqual([])
  })

  it('is cancelled without ending the other', async () => {
    writeFileSync(file('1', 'started'), '188:1:2:ab-cd\n')
    await submit('2')
    await running.manager.cancel('1')
    await waitFor(() => !running.context.jobs.has('1'), { what: 'end of the cancelled job' })
    expect(scheduler.cancelled).toEqual([])
    expect(running.context.jobs.get('2')?.status).toBe('queued')
  })

  it('which was cancelled while the scheduler was away is not ended by that id', async () => {
    const away = new SchedulerDown('away for now')
    const { cancel } = scheduler
    scheduler.cancel = async () => {
      throw away
    }
    await running.manager.cancel('1')
    await submit('2')
    scheduler.cancel = cancel
    await waitFor(() => !running.context.jobs.has('1'), { what: 'end of the cancelled job' })
    expect(scheduler.cancelled).toEqual([])
    expect(await audit()).toEqual([])
  })

  it('is not stopped by it after a restart before which nobody noted that', async () => {
    scheduler.cancel = async () => {
      throw new SchedulerDown('away for now')
    }
    await running.manager.cancel('1')
    const key = activeKey(running.context.config.name, '1')
    const before = await store.get<JobRecord>(key)
    await submit('2')
    monitor?.stop()
    await running.close()
    await store.write([{ type: 'put', key, value: before }])
    scheduler.cancel = async (id) => void scheduler.cancelled.push(id)
    scheduler.recover = async (jobs) => new Map(jobs.map(({ jobId }) => [jobId, '188']))
    await start()
    await waitFor(() => !running.context.jobs.has('1'), { what: 'end of the cancelled job' })
    expect(scheduler.cancelled).toEqual([])
    expect(running.context.jobs.get('2')?.externalId).toBe('188')
    expect(await audit()).toEqual([])
  })

  it('does not ask for it after a restart either', async () => {
    // Long enough that the server is killed before it is judged.
    Object.assign(running.context, { returnCodeWaitMs: 3_600_000 })
    await submit('2')
    await running.context.lock.run('1', async () => {})
    monitor?.stop()
    await running.close()
    const asked: string[] = []
    scheduler.recover = async (jobs) => {
      asked.push(...jobs.map(({ jobId }) => jobId))
      return new Map([['2', '188']])
    }
    await start()
    expect(asked).toEqual(['2'])
    await waitFor(() => running.context.jobs.get('1')?.externalId === '190', { what: 'second launch' })
    expect(running.context.jobs.get('2')?.externalId).toBe('188')
    expect(await audit()).toEqual([])
  })
})

it.each([
  0, 1,
])('does not believe that a job ended with %i of which nothing says that it began', async (exitCode) => {
  scheduler.report('188', { state: 'ended', exitCode })
  await untilStatus(running, '1', 'lost')
  expect((await running.manager.status('1')).status).toBe('lost')
})

it('is complete when Slurm cancels, once more, what has run to its end', async () => {
  writeFileSync(file('1', 'return_code'), '0\n')
  scheduler.report('188', { state: 'ended', failure: 'Slurm ended the job: CANCELLED' })
  await untilStatus(running, '1', 'complete')
  expect((await running.manager.status('1')).status).toBe('complete')
})
