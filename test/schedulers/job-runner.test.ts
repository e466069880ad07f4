import { execFileSync, spawn } from 'node:child_process'
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Logger, silentLogger } from '../../src/lib/log.js'
import { createJobRunner, type JobRunner, type JobRunnerOptions } from '../../src/schedulers/job-runner.js'
import { StartFailed } from '../../src/schedulers/job-runner-failure.js'
import { shareJobRunner } from '../../src/schedulers/job-runner-shared.js'
import { encodeQuestion, encodeStart, parseReport } from '../../src/schedulers/job-runner-wire.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import { localJobEnvironment } from '../../src/schedulers/local-environment.js'
import { readProcess, readProcesses } from '../../src/schedulers/process-table.js'
import type { Submission } from '../../src/schedulers/scheduler.js'
import { parseStarted, STARTED_FRAGMENT } from '../../src/schedulers/started-file.js'
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

function open(options: Partial<JobRunnerOptions> = {}): JobRunner {
  const runner = createJobRunner({ log: silentLogger, lastReportsMs: 20, checkIntervalMs: 20, ...options })
  onTestFinished(() => runner.close())
  return runner
}

async function writeJob(root: string, jobId: string, body: string, guarded = true): Promise<Submission> {
  const directory = join(root, jobId)
  const workingDirectory = join(directory, 'working')
  await mkdir(workingDirectory, { recursive: true })
  const script = join(directory, 'command.sh')
  const guard = guarded ? [STARTED_FRAGMENT(directory), 'echo run >> runs'] : []
  await writeFile(script, ['#!/bin/bash', ...guard, body, ''].join('\n'))
  await chmod(script, 0o700)
  return {
    jobId,
    name: 'test',
    directory,
    script,
    workingDirectory,
    stdout: join(directory, 'out'),
    stderr: join(directory, 'err'),
  }
}

/** Starts it and waits for its end. */
async function run(runner: JobRunner, job: Submission): Promise<number | undefined> {
  return (await runner.start(job)).ended
}

/** The helpers of this process that there are now. */
function helpers(): number[] {
  return readProcesses()
    .filter((entry) => entry.parent === process.pid && entry.session === entry.pid)
    .map((entry) => entry.pid)
}

async function onlyHelper(): Promise<number> {
  return waitFor(() => (helpers().length === 1 ? helpers()[0] : undefined), { what: 'one helper' })
}

function leaders(helper: number): number[] {
  return readProcesses()
    .filter((entry) => entry.parent === helper)
    .map((entry) => entry.pid)
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined
}

function collectWarnings(): { log: Logger; warnings: string[] } {
  const warnings: string[] = []
  const warn = (first: object | string, second?: string): void => {
    warnings.push(second ?? String(first))
  }
  const log: Logger = { ...silentLogger, warn, child: () => log }
  return { log, warnings }
}

describe('the words between server and helper', () => {
  it('names what is below the job directory relative to it', () => {
    const job = {
      jobId: '7',
      name: 'x',
      directory: '/j/7',
      script: '/j/7/command.sh',
      workingDirectory: '/j/7',
      stdout: '/j/70/out',
      stderr: '/j/7//err',
    }
    expect(encodeStart(12, job)).toBe('12\0/j/7\0command.sh\0/j/7\0/j/70/out\0/j/7//err\0')
    expect(encodeQuestion(12)).toBe('12\0\0')
  })

  it.each([
    ['started 3 400 399', { kind: 'started', number: 3, pid: 400, leader: 399 }],
    ['ended 3 0 own', { kind: 'ended', number: 3, exitCode: 0, ranElsewhere: false }],
    ['ended 3 -9 unmarked', { kind: 'ended', number: 3, exitCode: -9, ranElsewhere: false }],
    ['ended 3 none other', { kind: 'ended', number: 3, exitCode: undefined, ranElsewhere: true }],
    ['failed 3 fork', { kind: 'failed', number: 3, problem: 'fork' }],
    ['leader 3 0', { kind: 'leader', number: 3, leader: 0 }],
    ['failed 3 moon', undefined],
    ['ended x 0 own', undefined],
    ['', undefined],
  ])('reads "%s"', (line, report) => {
    expect(parseReport(line)).toEqual(report)
  })
})

describe('the job runner', () => {
  it('reports exit codes, and signals as negative numbers', async () => {
    const runner = open()
    const root = await tempDirectory()
    const bodies = ['exit 0', 'exit 3', 'exit 128', 'kill -TERM $$', 'kill -9 $$', 'exit 255']
    const jobs = await Promise.all(bodies.map((body, index) => writeJob(root, String(index), body)))
    expect(await Promise.all(jobs.map((job) => run(runner, job)))).toEqual([0, 3, 128, -15, -9, 255])
  })

  it('takes any name a file can have', async () => {
    const runner = open()
    const root = await tempDirectory()
    for (const name of [
      'new\nline',
      '-n',
      ' lead and trail ',
      '*?[a]',
      'back\\slash',
      '$(date)`id`',
      'ümläut',
      '~',
    ]) {
      const job = await writeJob(root, name, 'printf "%s" "$_GALAXY_JOB_DIR"; pwd >&2; exit 5')
      expect(await run(runner, job)).toBe(5)
      expect(await readFile(job.stdout, 'utf8')).toBe(job.workingDirectory)
      expect(await readFile(job.stderr, 'utf8')).toBe(`${job.workingDirectory}\n`)
    }
  })

  it('runs a script that may be read but not executed, and empties the files of its streams', async () => {
    const runner = open()
    const job = await writeJob(await tempDirectory(), 'r', 'echo new')
    await chmod(job.script, 0o400)
    await writeFile(job.stdout, 'older and longer')
    await writeFile(job.stderr, 'older')
    expect(await run(runner, job)).toBe(0)
    expect(await readFile(job.stdout, 'utf8')).toBe('new\n')
    expect(await readFile(job.stderr, 'utf8')).toBe('')
  })

  it('hands nothing of its own to the script: the same as if node had started it', async () => {
    const body = [
      'env -0 | sort -z | tr "\\0" "\\n"',
      'for fd in /proc/self/fd/*; do [ "${fd##*/}" -lt 3 ] && [ "${fd##*/}" -gt 0 ] || readlink "$fd"; done',
      'grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status; umask; trap; shopt; set -o; ulimit -a; jobs',
    ].join('\n')
    const runner = open()
    const [ours, plain] = await Promise.all(
      ['ours', 'plain'].map(async (id) => writeJob(await tempDirectory(), id, body, false)),
    )
    if (!ours || !plain) throw new Error('two jobs')
    expect(await run(runner, ours)).toBe(0)
    const child = spawn('/bin/bash', [plain.script], {
      cwd: plain.workingDirectory,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...localJobEnvironment(), _GALAXY_JOB_DIR: plain.workingDirectory },
    })
    const expected = (await child.stdout.toArray()).join('')
    const clean = (text: string, job: Submission): string =>
      text.replaceAll(job.directory, 'J').replaceAll(/^\/proc\/\d+\/fd$/gm, '/proc/N/fd')
    expect(clean(await readFile(ours.stdout, 'utf8'), ours)).toBe(clean(expected, plain))
    expect(expected).toContain('SigIgn')
  })

  it('leaves the exit status in the job directory unless the script left its return code', async () => {
    const runner = open()
    const root = await tempDirectory()
    const killed = await writeJob(root, 'k', 'kill -9 $$')
    const done = await writeJob(root, 'd', `echo 4 > ../return_code; exit 6`)
    expect(await Promise.all([run(runner, killed), run(runner, done)])).toEqual([-9, 6])
    expect(await readFile(join(killed.directory, '.magnetar-exit'), 'utf8')).toBe('-9\n')
    expect(await exists(join(done.directory, '.magnetar-exit'))).toBe(false)
  })

  it('does not start a script that has begun before, nor touch the output of that run', async () => {
    const runner = open()
    const job = await writeJob(await tempDirectory(), 'b', ':')
    await writeFile(join(job.directory, 'started'), ':1:1:1\n')
    await writeFile(job.stdout, 'precious')
    const script = await runner.start(job)
    expect([script.pid, await script.ended]).toEqual([undefined, undefined])
    expect(await readFile(job.stdout, 'utf8')).toBe('precious')
  })

  it('leaves no exit status when another run of the script is the one that counts', async () => {
    const runner = open()
    const job = await writeJob(await tempDirectory(), 'o', 'echo ":1:1:1" > ../started', false)
    expect(await run(runner, job)).toBeUndefined()
    expect(await exists(join(job.directory, '.magnetar-exit'))).toBe(false)
  })

  it('says why a script cannot be started, to its job only', async () => {
    const { log, warnings } = collectWarnings()
    const runner = open({ log })
    const root = await tempDirectory()
    const job = await writeJob(root, 'f', ':')
    const cases: [Submission, RegExp][] = [
      [{ ...job, script: join(root, 'none') }, /\(ENOENT\): the script/],
      [{ ...job, workingDirectory: job.script }, /not a directory/],
      [{ ...job, stdout: root }, /\(EISDIR\)/],
      [{ ...job, stderr: join(root, 'none', 'err') }, /\(ENOENT\)/],
    ]
    for (const [broken, reason] of cases) {
      const failure = await runner.start(broken).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(StartFailed)
      expect(String(failure)).toMatch(reason)
    }
    expect(await run(runner, job)).toBe(0)
    expect(warnings).toEqual([])
  })

  it('starts hundreds at once, and keeps no dead ones', async () => {
    const runner = open()
    const root = await tempDirectory()
    const ids = Array.from({ length: 200 }, (_, index) => String(index))
    const jobs = await Promise.all(ids.map((id) => writeJob(root, id, `exit ${Number(id) % 100}`)))
    expect(await Promise.all(jobs.map((job) => run(runner, job)))).toEqual(ids.map((id) => Number(id) % 100))
    expect(leaders(await onlyHelper())).toEqual([])
  })

  it('does not grow with the number of jobs', async () => {
    const runner = open()
    const job = await writeJob(await tempDirectory(), 'm', ':', false)
    const residentPages = async (): Promise<number> =>
      Number((await readFile(`/proc/${await onlyHelper()}/statm`, 'utf8')).split(' ')[1])
    for (let count = 0; count < 50; count += 1) await run(runner, job)
    const before = await residentPages()
    for (let count = 0; count < 250; count += 1) await run(runner, job)
    expect((await residentPages()) - before).toBeLessThan(25)
  })

  it('ends with its server; jobs go on and leave their exit status', async () => {
    const runner = open()
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
    process.kill(leader, 'SIGTERM')
    process.kill(-pid, 'SIGTERM')
    const file = join(job.directory, '.magnetar-exit')
    expect(await waitFor(() => readFile(file, 'utf8').catch(() => undefined), { what: file })).toBe('-15\n')
  })

  it('stays when the whole service is signalled, as that means the server', async () => {
    const { log, warnings } = collectWarnings()
    const runner = open({ log })
    const root = await tempDirectory()
    await run(runner, await writeJob(root, '1', ':'))
    for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.kill(await onlyHelper(), name)
    expect(await run(runner, await writeJob(root, '2', 'exit 2'))).toBe(2)
    expect(warnings).toEqual([])
  })

  it('goes on with another helper when one is killed: running jobs are followed, waiting ones start once', async () => {
    const { log, warnings } = collectWarnings()
    const runner = open({ log })
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

  it('says that it does not know the end when the process that waits for a script is killed', async () => {
    const runner = open()
    const job = await writeJob(await tempDirectory(), 'l', UNTIL_RELEASED)
    const script = await runner.start(job)
    await lineOf(job, 'runs')
    for (const leader of leaders(await onlyHelper())) process.kill(leader, 'SIGKILL')
    expect(await script.ended).toBeUndefined()
    expect(script.pid !== undefined && readProcess(script.pid)).toBeTruthy()
    await release(job)
  })

  it('fails a start whose process is killed before the script began, which then never begins', async () => {
    const runner = open()
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
    const file = join(early.directory, '.magnetar-exit')
    await waitFor(() => exists(file), { what: file })
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

  async function pidOf(job: Submission): Promise<number> {
    const started = parseStarted(await readFile(join(job.directory, 'started'), 'utf8'))
    if (!started) throw new Error('not started')
    return started.process.pid
  }
})
