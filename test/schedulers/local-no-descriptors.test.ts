import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { silentLogger } from '../../src/lib/log.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import { readProcess } from '../../src/schedulers/process-table.js'
import { type Scheduler, SchedulerDown, type Submission } from '../../src/schedulers/scheduler.js'
import {
  lineOf,
  release,
  reportOf,
  signal,
  UNTIL_RELEASED,
  waitForState,
  writeJob,
} from '../conformance/scheduler-job.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

/** A server that has no descriptors left cannot read /proc. */
const server = vi.hoisted(() => ({ lacksDescriptors: false, refused: 0 }))

vi.mock('node:fs', async (original) => {
  const actual = await original<typeof import('node:fs')>()
  const orRefuse =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R => {
      if (!server.lacksDescriptors || !String(args[0]).startsWith('/proc')) return call(...args)
      server.refused++
      throw Object.assign(new Error(`EMFILE: too many open files, open '${args[0]}'`), { code: 'EMFILE' })
    }
  return { ...actual, readFileSync: orRefuse(actual.readFileSync), readdirSync: orRefuse(actual.readdirSync) }
})

beforeEach(() => {
  server.refused = 0
})
afterEach(() => {
  server.lacksDescriptors = false
})

function open(): Scheduler {
  const scheduler = createLocalScheduler({ limit: 1, killGraceMs: 100, watchIntervalMs: 10 }, silentLogger)
  onTestFinished(() => scheduler.close())
  return scheduler
}

async function untilRefused(times: number): Promise<void> {
  await waitFor(() => server.refused >= times, { what: `${times} looks at /proc` })
}

/** Runs, and a server that knows nothing of it has found it. */
async function foundAgain(): Promise<{ readonly job: Submission; readonly scheduler: Scheduler }> {
  const before = open()
  const job = await writeJob(before, await tempDirectory(), '1', `echo $$ > shell\n${UNTIL_RELEASED}`)
  await before.submit(job, signal)
  await lineOf(job, 'runs')
  await before.close()
  const scheduler = open()
  await scheduler.recover([{ ...job, externalId: '1' }], signal)
  return { job, scheduler }
}

it('does not take a job for ended that it found again and cannot look at', async () => {
  const { job, scheduler } = await foundAgain()
  server.lacksDescriptors = true
  await untilRefused(3)
  server.lacksDescriptors = false
  expect(await reportOf(scheduler, '1')).toEqual({ state: 'running' })
  await release(job)
  expect(await waitForState(scheduler, '1', 'ended')).toEqual({ state: 'ended', exitCode: 0 })
})

it('does not say of a job that it cannot look for what became of it', async () => {
  const { job, scheduler } = await foundAgain()
  await scheduler.close()
  const next = open()
  server.lacksDescriptors = true
  await expect(next.recover([{ ...job, externalId: '1' }], signal)).rejects.toThrow(SchedulerDown)
  server.lacksDescriptors = false
  expect(await next.recover([{ ...job, externalId: '1' }], signal)).toEqual(new Map([['1', '1']]))
  await release(job)
  await waitForState(next, '1', 'ended')
})

it('ends a cancelled job as soon as processes can be listed', async () => {
  const { job, scheduler } = await foundAgain()
  const pid = Number(await lineOf(job, 'shell'))
  expect(readProcess(pid)).toBeDefined()
  server.lacksDescriptors = true
  const cancelled = scheduler.cancel('1', signal)
  await untilRefused(2)
  server.lacksDescriptors = false
  await cancelled
  expect(readProcess(pid)).toBeUndefined()
  await waitForState(scheduler, '1', 'ended')
})

it('follows a job that it started and could not look at', async () => {
  const scheduler = open()
  const job = await writeJob(scheduler, await tempDirectory(), '1', UNTIL_RELEASED)
  server.lacksDescriptors = true
  await scheduler.submit(job, signal)
  await untilRefused(1)
  expect(await reportOf(scheduler, '1')).toEqual({ state: 'queued' })
  server.lacksDescriptors = false
  await waitForState(scheduler, '1', 'running')
  await scheduler.cancel('1', signal)
  await waitForState(scheduler, '1', 'ended')
  expect(await lineOf(job, 'runs')).toBeDefined()
})
