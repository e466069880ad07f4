import { execFileSync } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../../src/lib/log.js'
import { StartFailed } from '../../src/schedulers/job-runner-failure.js'
import { shareJobRunner } from '../../src/schedulers/job-runner-shared.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import { readProcess } from '../../src/schedulers/process-table.js'
import type { Submission } from '../../src/schedulers/scheduler.js'
import { parseStarted } from '../../src/schedulers/started-file.js'
import {
  lineOf,
  release,
  reportOf,
  signal,
  UNTIL_RELEASED,
  waitForState,
} from '../conformance/scheduler-job.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import {
  collectWarnings,
  exists,
  exitFileOf,
  leaders,
  onlyHelper,
  openRunner,
  parentOf,
  run,
  writeJob,
} from './job-runner-fixture.js'

describe('the job runner, when something ends', () => {
  it('ends with its server; jobs go on and leave their exit status', async () => {
    const runner = openRunner()
    const job = await writeJob(await tempDirectory(), 'g', `echo $$ > pid; ${UNTIL_RELEASED}; exit 9`)
    await runner.start(job)
    const pid = Number(await lineOf(job, 'pid'))
    const helper = await onlyHelper()
    const [leader = 0] = leaders(helper)
    // What is sent to the group of one of them must not reach the others.
    expect([readProcess(leader)?.group, readProcess(pid)?.group]).toEqual([leader, pid])
    runner.close()
    await waitFor(() => readProcess(helper) === undefined, { what: 'end of the helper' })
    // As a service manager does that stops everything: whoever waits for the script must not be faster than it.
    process.kill(leader, 'SIGINT')
    process.kill(-pid, 'SIGTERM')
    expect(await exitFileOf(job)).toBe('-15\n')
  })

  it('puts on the disk what a job made that ends without a server, and no other', async () => {
    const [runner, another] = [openRunner(), openRunner()]
    const root = await tempDirectory()
    const body = `${UNTIL_RELEASED}; echo 0 > ../return_code`
    const [told, left, killed] = await Promise.all([
      writeJob(root, 'told', body),
      writeJob(root, 'left', body),
      writeJob(root, 'killed', UNTIL_RELEASED),
    ])
    const { ended } = await another.start(told)
    for (const job of [left, killed]) await runner.start(job)
    await lineOf(killed, 'runs')
    runner.close()
    await release(told)
    expect(await ended).toBe(0)
    await release(left)
    await waitFor(() => exists(join(left.directory, '.magnetar-synced')), { what: 'sync' })
    process.kill(await pidOf(killed), 'SIGKILL')
    expect(await exitFileOf(killed)).toBe('-9\n')
    for (const { directory } of [told, killed])
      expect(await exists(join(directory, '.magnetar-synced'))).toBe(false)
  })

  it('keeps the exit status when a script and the process that waits for it are signalled at once', async () => {
    const runner = openRunner()
    const root = await tempDirectory()
    const ids = Array.from({ length: 24 }, (_, index) => String(index))
    const codes = ids.map(async (id) => {
      const job = await writeJob(root, id, UNTIL_RELEASED)
      const { pid = 0, ended } = await runner.start(job)
      await lineOf(job, 'runs')
      process.kill(parentOf(pid), 'SIGHUP')
      process.kill(-pid, 'SIGTERM')
      return ended
    })
    expect(await Promise.all(codes)).toEqual(ids.map(() => -15))
  })

  it('stays when the whole service is signalled, as that means the server', async () => {
    const { log, warnings } = collectWarnings()
    const runner = openRunner({ log })
    const root = await tempDirectory()
    await run(runner, await writeJob(root, '1', ':'))
    for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.kill(await onlyHelper(), name)
    expect(await run(runner, await writeJob(root, '2', 'exit 2'))).toBe(2)
    expect(warnings).toEqual([])
  })

  it('goes on with another helper when one is killed: running jobs are followed, waiting ones start once', async () => {
    const { log, warnings } = collectWarnings()
    const runner = openRunner({ log })
    const root = await tempDirectory()
    const running = await writeJob(root, 'running', `${UNTIL_RELEASED}; exit 4`)
    const script = await runner.start(running)
    await lineOf(running, 'runs')
    const helper = await onlyHelper()
    process.kill(helper, 'SIGSTOP')
    const unread = await writeJob(root, 'unread', 'exit 5')
    const begun = await writeJob(root, 'begun', 'exit 6')
    await writeFile(join(begun.directory, 'started'), ':1:1:1\n')
    const [waiting, other] = [runner.start(unread), runner.start(begun)]
    process.kill(helper, 'SIGKILL')
    expect(await (await waiting).ended).toBe(5)
    expect(await (await other).ended).toBeUndefined()
    await release(running)
    expect(await script.ended).toBe(4)
    expect(await lineOf(unread, 'runs')).toBe('run')
    expect(await exists(join(begun.workingDirectory, 'runs'))).toBe(false)
    expect(warnings).toEqual([expect.stringMatching(/ended \(signal SIGKILL\); another takes its place/)])
    expect(await onlyHelper()).not.toBe(helper)
  })

  it('is told to hang when a start is not through after a while, once, and with what helps', async () => {
    const { log, warnings } = collectWarnings()
    const runner = openRunner({ log, stuckMs: 50 })
    const root = await tempDirectory()
    await run(runner, await writeJob(root, 'before', ':'))
    expect(runner.stuck()).toBeUndefined()
    const helper = await onlyHelper()
    // On a slow machine the first may have been late too.
    warnings.length = 0
    process.kill(helper, 'SIGSTOP')
    const script = runner.start(await writeJob(root, 'late', 'exit 5'))
    await waitFor(() => warnings.length > 0, { what: 'a warning' })
    expect(runner.stuck()).toMatchObject({ jobId: 'late', helper, leader: undefined })
    expect(warnings).toEqual([
      expect.stringContaining(`process ${helper}, which starts jobs, hangs. kill -9`),
    ])
    process.kill(helper, 'SIGKILL')
    expect(await (await script).ended).toBe(5)
    expect(runner.stuck()).toBeUndefined()
    expect(warnings).toHaveLength(2)
  })

  it('says that it does not know the end when the process that waits for a script is killed', async () => {
    const runner = openRunner()
    const job = await writeJob(await tempDirectory(), 'l', UNTIL_RELEASED)
    const script = await runner.start(job)
    await lineOf(job, 'runs')
    for (const leader of leaders(await onlyHelper())) process.kill(leader, 'SIGKILL')
    expect(await script.ended).toBeUndefined()
    expect(readProcess(script.pid ?? 0)?.pid).toBe(script.pid)
  })

  it('fails a start whose process is killed before the script began, which then never begins', async () => {
    const runner = openRunner()
    const job = await writeJob(await tempDirectory(), 'p', ':')
    // Opening a pipe that nobody reads takes for ever, as a dead file server does.
    execFileSync('mkfifo', [job.stdout])
    const start = runner.start(job).catch((error: unknown) => error)
    const helper = await onlyHelper()
    const leader = await waitFor(() => leaders(helper)[0], { what: 'leader' })
    process.kill(leader, 'SIGKILL')
    expect(await start).toBeInstanceOf(StartFailed)
    expect(parseStarted(await readFile(join(job.directory, 'started'), 'utf8'))?.process.pid).toBe(0)
    await rm(job.stdout)
    expect(await run(runner, job)).toBeUndefined()
    expect(await exists(join(job.workingDirectory, 'runs'))).toBe(false)
  })

  it('is one for all who share it, and ends with the last of them', async () => {
    const [first, second] = [shareJobRunner(silentLogger), shareJobRunner(silentLogger)]
    const helper = await onlyHelper()
    first.close()
    first.close()
    expect(await run(second, await writeJob(await tempDirectory(), 's', 'exit 2'))).toBe(2)
    second.close()
    await waitFor(() => readProcess(helper) === undefined, { what: 'end of the helper' })
  })
})

describe('the local scheduler on the job runner', () => {
  function openScheduler() {
    const scheduler = createLocalScheduler({ limit: 2, killGraceMs: 100, watchIntervalMs: 10 }, silentLogger)
    onTestFinished(() => scheduler.close())
    return scheduler
  }

  it('knows the exit code of a job that was killed while no server ran, whether it ended before or after the start', async () => {
    const root = await tempDirectory()
    const before = openScheduler()
    const jobs = await Promise.all(['1', '2'].map((id) => writeJob(root, id, UNTIL_RELEASED)))
    const [early, late] = jobs
    if (!early || !late) throw new Error('two jobs')
    for (const job of jobs) await before.submit(job, signal)
    await Promise.all(jobs.map((job) => lineOf(job, 'runs')))
    await before.close()
    process.kill(await pidOf(early), 'SIGKILL')
    expect(await exitFileOf(early)).toBe('-9\n')
    const after = openScheduler()
    await after.recover(
      jobs.map((job) => ({ ...job, externalId: job.jobId })),
      signal,
    )
    expect(await reportOf(after, '1')).toEqual({ state: 'ended', exitCode: -9 })
    expect(await reportOf(after, '2')).toEqual({ state: 'running' })
    process.kill(await pidOf(late), 'SIGTERM')
    expect(await waitForState(after, '2', 'ended')).toEqual({ state: 'ended', exitCode: -15 })
  })

  it('leaves the exit code to the return code of the tool when that is there', async () => {
    const before = openScheduler()
    const job = await writeJob(await tempDirectory(), '1', `${UNTIL_RELEASED}; echo 3 > ../return_code`)
    await before.submit(job, signal)
    await lineOf(job, 'runs')
    await before.close()
    const after = openScheduler()
    await after.recover([{ ...job, externalId: '1' }], signal)
    await release(job)
    expect(await waitForState(after, '1', 'ended')).toEqual({ state: 'ended' })
  })
})

async function pidOf(job: Submission): Promise<number> {
  const started = parseStarted(await readFile(join(job.directory, 'started'), 'utf8'))
  if (!started) throw new Error('not started')
  return started.process.pid
}
