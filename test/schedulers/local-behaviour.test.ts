import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../../src/lib/log.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import { localJobEnvironment } from '../../src/schedulers/local-environment.js'
import { readProcess } from '../../src/schedulers/process-table.js'
import type { Scheduler, Submission } from '../../src/schedulers/scheduler.js'
import { parseStarted } from '../../src/schedulers/started-file.js'
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

function open(limit: number): Scheduler {
  const scheduler = createLocalScheduler({ limit, killGraceMs: 100, watchIntervalMs: 10 }, silentLogger)
  onTestFinished(() => scheduler.close())
  return scheduler
}

async function submitAll(scheduler: Scheduler, jobs: readonly Submission[]): Promise<void> {
  for (const job of jobs) await scheduler.submit(job, signal)
}

describe('the local scheduler', () => {
  it('runs at most as many jobs at once as it may', async () => {
    const scheduler = open(2)
    const root = await tempDirectory()
    const ids = ['1', '2', '3', '4', '5', '6']
    // Each counts the directories of running jobs, its own among them.
    const body = `mkdir ${root}/r$$; sleep 0.05; ls -d ${root}/r* | wc -l >> ${root}/seen; rmdir ${root}/r$$`
    await submitAll(scheduler, await Promise.all(ids.map((id) => writeJob(scheduler, root, id, body))))
    const states = [...(await scheduler.states(ids, signal)).values()].map(({ state }) => state)
    expect(states.slice(2)).toEqual(['queued', 'queued', 'queued', 'queued'])
    await Promise.all(ids.map((id) => waitForState(scheduler, id, 'ended')))
    const seen = (await readFile(join(root, 'seen'), 'utf8')).trim().split('\n').map(Number)
    expect(seen).toHaveLength(6)
    expect(Math.max(...seen)).toBeLessThanOrEqual(2)
  })

  it('starts jobs in the order of their submits', async () => {
    const scheduler = open(1)
    const root = await tempDirectory()
    const ids = ['3', '1', '4', '2']
    const jobs = await Promise.all(
      ids.map((id) => writeJob(scheduler, root, id, `echo ${id} >> ${root}/order`)),
    )
    await submitAll(scheduler, jobs)
    await waitForState(scheduler, '2', 'ended')
    expect(await readFile(join(root, 'order'), 'utf8')).toBe('3\n1\n4\n2\n')
  })

  it('gives the script a small environment, /dev/null, and a process group of its own; J/pid is there while it runs', async () => {
    const scheduler = open(1)
    const body = `${UNTIL_RELEASED}\nenv | sort; readlink /proc/$$/fd/0`
    const job = await writeJob(scheduler, await tempDirectory(), 'e', body)
    await scheduler.submit(job, signal)
    await lineOf(job, 'runs')
    const pid = Number(JSON.parse(await waitForFile(join(job.directory, 'pid'))))
    expect(readProcess(pid)).toMatchObject({ group: pid })
    await release(job)
    await waitForState(scheduler, 'e', 'ended')
    const names = (await readFile(job.stdout, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0])
    // PWD, SHLVL, OLDPWD and _ are bash's own.
    const own = names.filter((name) => !['PWD', 'SHLVL', 'OLDPWD', '_'].includes(name ?? ''))
    expect(own).toEqual(['HOME', 'LC_CTYPE', 'PATH', 'TMPDIR', '_GALAXY_JOB_DIR', '/dev/null'])
    await expect(readFile(join(job.directory, 'pid'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it.each([
    ['C', 'C.UTF-8'],
    ['de_DE.UTF-8', 'de_DE.UTF-8'],
    [undefined, 'C.UTF-8'],
  ])('makes LC_CTYPE %s %s', (given, expected) => {
    const server = given === undefined ? {} : { LC_CTYPE: given }
    expect(localJobEnvironment(server)).toEqual({ LC_CTYPE: expected, TMPDIR: tmpdir() })
  })

  it('reports a script that cannot be started, with the reason, and goes on with the next', async () => {
    const scheduler = open(1)
    const root = await tempDirectory()
    const jobs = await Promise.all(['1', '2', '3', '4'].map((id) => writeJob(scheduler, root, id, ':')))
    const [noScript, noDirectory, noStream, good] = jobs
    if (!noScript || !noDirectory || !noStream || !good) throw new Error('four jobs')
    await rm(noScript.script)
    await submitAll(scheduler, [
      noScript,
      { ...noDirectory, workingDirectory: join(root, 'missing') },
      { ...noStream, stdout: join(root, 'missing', 'out') },
      good,
    ])
    expect(await waitForState(scheduler, '4', 'ended')).toEqual({ state: 'ended', exitCode: 0 })
    for (const id of ['1', '2', '3']) {
      const report = await reportOf(scheduler, id)
      expect(report).toMatchObject({
        state: 'ended',
        failure: expect.stringMatching(/^The job could not be started \(ENOENT\)/),
      })
    }
  })

  it('reports a script that a signal ended with the negative number', async () => {
    const scheduler = open(1)
    const job = await writeJob(scheduler, await tempDirectory(), 's', 'kill -9 $$')
    await scheduler.submit(job, signal)
    expect(await waitForState(scheduler, 's', 'ended')).toEqual({ state: 'ended', exitCode: -9 })
  })

  it('ends daemons of a cancelled job that left session, group and parent behind', async () => {
    const scheduler = open(1)
    const job = await writeJob(
      scheduler,
      await tempDirectory(),
      'd',
      `(setsid bash -c 'echo $$ > daemon; while :; do sleep 0.1; done' &)\n${UNTIL_RELEASED}`,
    )
    await scheduler.submit(job, signal)
    const pid = Number(await lineOf(job, 'daemon'))
    await waitFor(() => readProcess(pid)?.parent !== undefined && readProcess(pid)?.session === pid, {
      what: 'daemon',
    })
    await scheduler.cancel('d', signal)
    expect(readProcess(pid)).toBeUndefined()
  })

  it('keeps the place of a cancelled job until nothing of it is left', async () => {
    const scheduler = open(1)
    const root = await tempDirectory()
    const first = await writeJob(
      scheduler,
      root,
      '1',
      `bash -c 'trap "" TERM; echo $$ > stubborn; while :; do sleep 0.05; done'`,
    )
    await scheduler.submit(first, signal)
    const pid = Number(await lineOf(first, 'stubborn'))
    const second = await writeJob(
      scheduler,
      root,
      '2',
      `[ -d /proc/${pid} ] && grep -q 'State:.[^Z]' /proc/${pid}/status && echo alive > overlap`,
    )
    await scheduler.submit(second, signal)
    await scheduler.cancel('1', signal)
    await waitForState(scheduler, '2', 'ended')
    await expect(readFile(join(second.workingDirectory, 'overlap'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('counts jobs that it found again against the limit', async () => {
    const root = await tempDirectory()
    const before = open(1)
    const first = await writeJob(before, root, '1', UNTIL_RELEASED)
    await before.submit(first, signal)
    await lineOf(first, 'runs')
    await before.close()
    const after = open(1)
    await after.recover([{ ...first, externalId: '1' }], signal)
    const second = await writeJob(after, root, '2', ':')
    await after.submit(second, signal)
    expect(await reportOf(after, '2')).toEqual({ state: 'queued' })
    await release(first)
    await waitForState(after, '2', 'ended')
    expect(await reportOf(after, '1')).toEqual({ state: 'ended', exitCode: 0 })
  })

  it('cancels a job that it found again', async () => {
    const before = open(1)
    const job = await writeJob(before, await tempDirectory(), '1', `echo $$ > pid\n${UNTIL_RELEASED}`)
    await before.submit(job, signal)
    const pid = Number(await lineOf(job, 'pid'))
    await before.close()
    const after = open(1)
    await after.recover([{ ...job, externalId: '1' }], signal)
    await after.cancel('1', signal)
    expect(readProcess(pid)).toBeUndefined()
    expect((await waitForState(after, '1', 'ended')).state).toBe('ended')
  })

  it('waits for the run of an earlier server when its own start comes second', async () => {
    const first = open(1)
    const job = await writeJob(first, await tempDirectory(), '1', UNTIL_RELEASED)
    await first.submit(job, signal)
    await lineOf(job, 'runs')
    const pidFile = join(job.directory, 'pid')
    await rm(pidFile)
    const second = open(1)
    await second.submit(job, signal)
    // Its own script has ended at once, which must not be taken for the job's end; J/pid then names the run that counts.
    const runner = parseStarted(await readFile(join(job.directory, 'started'), 'utf8'))?.process.pid
    await waitFor(
      async () => (await readFile(pidFile, 'utf8').catch(() => '')) === JSON.stringify(String(runner)),
      {
        what: 'J/pid of the first run',
      },
    )
    expect((await reportOf(second, '1'))?.state).toBe('running')
    await release(job)
    await waitForState(second, '1', 'ended')
    expect(await lineOf(job, 'runs')).toBe('run')
  })

  it('finds the process of a job whose start file was cut off', async () => {
    const before = open(1)
    const job = await writeJob(before, await tempDirectory(), '1', UNTIL_RELEASED)
    await before.submit(job, signal)
    await lineOf(job, 'runs')
    await before.close()
    await writeFile(join(job.directory, 'started'), '')
    const after = open(1)
    expect(await after.recover([{ ...job, externalId: '1' }], signal)).toEqual(new Map([['1', '1']]))
    expect(await reportOf(after, '1')).toEqual({ state: 'running' })
    await release(job)
    await waitForState(after, '1', 'ended')
  })

  it('picks up jobs of a server that was killed: running, ended meanwhile, and not yet started', async () => {
    const root = await tempDirectory()
    const scheduler = open(2)
    const body = `${UNTIL_RELEASED}\necho $? > code`
    const jobs = await Promise.all(['1', '2', '3'].map((id) => writeJob(scheduler, root, id, body)))
    const [running, ending, waiting] = jobs
    if (!running || !ending || !waiting) throw new Error('three jobs')
    const jobsFile = join(root, 'jobs.json')
    await writeFile(jobsFile, JSON.stringify(jobs))
    const server = spawn(process.execPath, [await compiledHelper(), jobsFile], { stdio: 'ignore' })
    await Promise.all([lineOf(running, 'runs'), lineOf(ending, 'runs')])
    server.kill('SIGKILL')
    await new Promise((done) => server.once('exit', done))
    await release(ending)
    await lineOf(ending, 'code')

    const found = await scheduler.recover(
      jobs.map((job) => ({ ...job, externalId: job.jobId })),
      signal,
    )
    expect([...found.keys()].sort()).toEqual(['1', '2'])
    expect(await reportOf(scheduler, '1')).toEqual({ state: 'running' })
    await waitForState(scheduler, '2', 'ended')
    await scheduler.submit(waiting, signal)
    await Promise.all([release(running), release(waiting)])
    await waitForState(scheduler, '1', 'ended')
    await waitForState(scheduler, '3', 'ended')
    for (const job of jobs) expect(await lineOf(job, 'runs')).toBe('run')
  })
})

function waitForFile(path: string): Promise<string> {
  return waitFor(async () => (await readFile(path, 'utf8').catch(() => '')) || undefined, { what: path })
}

/** A server reduced to its scheduler, as JavaScript that node runs by itself: limit 2, submits the jobs of a file, stays. */
async function compiledHelper(): Promise<string> {
  const home = await tempDirectory()
  await symlink(resolve('templates'), join(home, 'templates'))
  const directory = join(home, 'dist')
  for (const room of ['lib', 'schedulers']) {
    await mkdir(join(directory, room), { recursive: true })
    for (const file of await readdir(join('src', room))) {
      if (file.endsWith('.ts')) await compile(join('src', room, file), join(directory, room, file))
    }
  }
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
  const server = join(directory, 'server.js')
  await writeFile(
    server,
    `import { readFileSync } from 'node:fs'
import { silentLogger } from './lib/log.js'
import { createLocalScheduler } from './schedulers/local.js'
const scheduler = createLocalScheduler({ limit: 2 }, silentLogger)
for (const job of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  await scheduler.submit(job, new AbortController().signal)
}
setInterval(() => {}, 1000)
`,
  )
  return server
}

async function compile(source: string, target: string): Promise<void> {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
  const { outputText } = ts.transpileModule(await readFile(source, 'utf8'), { compilerOptions })
  await writeFile(target.replace(/\.ts$/, '.js'), outputText)
}
