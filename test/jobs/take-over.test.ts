import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { RunningManager } from '../../src/jobs/manager.js'
import { type Logger, silentLogger } from '../../src/lib/log.js'
import { createHttpClient } from '../../src/staging/node-http-client.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { createFakeScheduler, type FakeScheduler } from '../helpers/fake-scheduler.js'
import { type JobFilesServer, startJobFilesServer } from '../helpers/job-files-server.js'
import { startManager, submitRequest } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

// What a Python server leaves is played here by writing its files; test/peers/take-over.test.ts has the real one.

let root: string
let store: Store
let scheduler: FakeScheduler
let galaxy: JobFilesServer

beforeEach(async () => {
  root = await tempDirectory()
  store = openMemoryStore()
  scheduler = createFakeScheduler()
  galaxy = await startJobFilesServer()
  galaxy.serve('/galaxy/a.dat', 'content')
})

const job = (name = ''): string => path.join(root, 'jobs', '7', name)
const index = (kind: string): string => path.join(root, 'active', `_default_-${kind}-jobs`, '7')
const flag = (name: string, value: unknown): void => writeFileSync(job(name), JSON.stringify(value))

/** Runs a server until `until` has come true. */
async function serve<T>(until: (running: RunningManager) => Promise<T>): Promise<T> {
  const http = createHttpClient({ log: silentLogger, maxSockets: 8 })
  const running = await startManager(root, scheduler, { store, http })
  try {
    await running.load()
    await running.recover()
    return await until(running)
  } finally {
    await running.close()
    await http.close()
  }
}

const remoteStaging = () => ({
  setup: [
    {
      name: 'a.dat',
      type: 'input',
      action: { path: '/a', action_type: 'remote_transfer', url: galaxy.fileUrl('/galaxy/a.dat') },
    },
    {
      name: 'b.dat',
      type: 'input',
      action: { path: '/b', action_type: 'remote_transfer', url: galaxy.fileUrl('/galaxy/b.dat') },
    },
  ],
})

/** A clean stop of ours while the second of two inputs is fetched. */
async function stopInStageIn(): Promise<void> {
  galaxy.plan = (request) => (request.path === '/galaxy/b.dat' ? { kind: 'hang', after: -1 } : undefined)
  await serve(async ({ manager, context }) => {
    await manager.setup({ jobId: '7', toolId: 'cat1', toolVersion: undefined })
    await manager.submit('7', submitRequest('true', { remote_staging: remoteStaging() }))
    await waitFor(() => context.jobs.get('7')?.progress?.filesDone === 1, { what: 'first input' })
  })
  galaxy.plan = () => undefined
  galaxy.serve('/galaxy/b.dat', 'more')
}

const everythingBelow = (directory: string): string[] => [
  directory,
  ...readdirSync(directory, { recursive: true }).map((name) => path.join(directory, String(name))),
]
/** Nobody may read it until the end of the test: root, who may read everything, is another user as long. */
function closeLaunchConfig(): void {
  const isRoot = process.geteuid?.() === 0
  if (isRoot) for (const name of everythingBelow(root)) lchownSync(name, 65_534, 65_534)
  chmodSync(job('launch_config'), 0)
  if (isRoot) process.seteuid?.(65_534)
  onTestFinished(() => void (isRoot && process.seteuid?.(0)))
}

const status = (): Promise<unknown> => serve(async ({ manager }) => (await manager.status('7')).status)
const launched = (): Promise<string> =>
  serve(({ context }) => waitFor(() => context.jobs.get('7')?.externalId, { what: 'launch' }))

describe('a job that we left in stage-in', () => {
  beforeEach(stopInStageIn)

  it('stands in the index of that phase alone, without a flag that says more', () => {
    expect(existsSync(index('preprocessing'))).toBe(true)
    expect([existsSync(index('active')), existsSync(index('postprocessing'))]).toEqual([false, false])
    expect(readdirSync(job())).not.toContain('preprocessed')
    expect(JSON.parse(readFileSync(job('tool_id'), 'utf8'))).toBe('cat1')
  })

  it('can be queued by a Python server, and not a second time while that starts', async () => {
    // It writes the command, and what it could read of that would be queued again: see test/peers/switch-race.test.ts.
    writeFileSync(job('command_line'), job('command.sh'))
    expect(readFileSync(job('command_line'), 'utf8')).toBe('')
    await launched()
    expect(readdirSync(job())).not.toContain('command_line')
  })

  it('is launched when the Python server was killed before its queue came to it', async () => {
    moved('active')
    flag('preprocessed', true)
    flag('submitted', 'true')
    await launched()
    expect(scheduler.submitted).toHaveLength(1)
  })

  it('is not launched for what it was left with when the Python server has run it', async () => {
    moved('active')
    flag('preprocessed', true)
    writeFileSync(job('metadata/job_stdout'), '')
    writeFileSync(job('return_code'), '0\n')
    expect(readdirSync(job())).toContain('command_line')
    expect(await status()).toBe('complete')
    expect(scheduler.submitted).toEqual([])
  })

  it('has only those inputs fetched again that were touched', async () => {
    const gets = (): number => galaxy.log.filter(({ path: asked }) => asked === '/galaxy/a.dat').length
    await launched()
    expect(gets()).toBe(1)
    expect(existsSync(index('preprocessing'))).toBe(false)
  })

  it('waits for its launch while its launch_config may not be read', async () => {
    closeLaunchConfig()
    await serve(async ({ context }) => {
      const waits = await waitFor(() => context.jobs.get('7')?.waitsFor, { what: 'reason' })
      expect(waits).toBe('waits until that can be read: its launch_config cannot be read (EACCES)')
      chmodSync(job('launch_config'), 0o600)
      await waitFor(() => context.jobs.get('7')?.externalId, { what: 'launch' })
      expect(context.jobs.get('7')?.waitsFor).toBeUndefined()
    })
  })

  it('has an input fetched again over which a Python server was killed', async () => {
    // Not within the same tick of the file system's clock.
    const { atMs } = (await store.get<{ atMs: number }>('parked/_default_')) ?? { atMs: 0 }
    await waitFor(() => Date.now() > atMs + 20, { what: 'tick' })
    writeFileSync(job('inputs/a.dat'), 'con')
    await launched()
    expect(readFileSync(job('inputs/a.dat'), 'utf8')).toBe('content')
  })

  const moved = (to?: string): void => {
    rmSync(index('preprocessing'))
    if (to !== undefined) writeFileSync(index(to), '')
  }

  it('is over as the Python server has ended it', async () => {
    moved()
    flag('preprocessed', true)
    flag('final_status', 'complete')
    expect(await status()).toBe('complete')
    expect(scheduler.submitted).toEqual([])
  })

  it.each(['cancelled', 'failed'])('is %s when the Python server says so', async (final) => {
    moved()
    if (final === 'failed') flag('preprocessing_failed', true)
    else flag('final_status', final)
    expect(await status()).toBe(final)
    expect(scheduler.submitted).toEqual([])
  })

  it('is launched when it only waits in the Python server’s queue', async () => {
    moved('active')
    flag('preprocessed', true)
    rmSync(job('command_line'))
    writeFileSync(job('command_line'), job('command.sh'))
    await launched()
    expect(scheduler.submitted).toHaveLength(1)
    expect(existsSync(job('command_line'))).toBe(false)
  })

  it('is watched when the Python server has handed it to a cluster', async () => {
    moved('active')
    flag('preprocessed', true)
    flag('external_id', '4711')
    scheduler.known.set('7', '4711')
    scheduler.reports.set('4711', { state: 'running' })
    expect(await launched()).toBe('4711')
    expect(scheduler.submitted).toEqual([])
  })

  it.each([
    { end: 'complete', code: '0\n' },
    { end: 'failed', code: undefined },
  ])('is $end when the Python server has run it here, with return code $code', async ({ end, code }) => {
    moved('active')
    flag('preprocessed', true)
    writeFileSync(job('metadata/job_stdout'), '')
    if (code !== undefined) writeFileSync(job('return_code'), code)
    expect(await status()).toBe(end)
    expect(scheduler.submitted).toEqual([])
    expect(existsSync(index('active'))).toBe(false)
  })
})

describe('a job of a Python server', () => {
  beforeEach(async () => {
    await serve(async () => {})
    mkdirSync(job('metadata'), { recursive: true })
    for (const name of ['inputs', 'outputs', 'working']) mkdirSync(job(name))
    flag('launch_config', { command_line: 'true', remote_staging: { setup: [remoteStaging().setup[0]] } })
    flag('tool_id', 'cat1')
  })

  it('is gone on with in stage-in, and becomes one of ours', async () => {
    writeFileSync(index('preprocessing'), '')
    await launched()
    expect(readFileSync(job('inputs/a.dat'), 'utf8')).toBe('content')
    expect(JSON.parse(readFileSync(job('.magnetar-job'), 'utf8'))).toMatchObject({ toolId: 'cat1' })
    expect(existsSync(index('preprocessing'))).toBe(false)
  })

  it('is over when it has nothing to deliver', async () => {
    flag('preprocessed', true)
    flag('final_status', 'failed')
    writeFileSync(index('postprocessing'), '')
    expect(await status()).toBe('failed')
    expect(existsSync(index('postprocessing'))).toBe(false)
  })

  it.each([
    { what: 'is cut off', text: '{"command', why: 'is cut off or damaged' },
    { what: 'is a list', text: '[]', why: 'is no JSON object' },
    { what: 'has no command_line', text: '{}', why: 'has no command_line' },
    { what: 'is missing', text: undefined, why: 'is missing' },
  ])('is failed, with the reason, when its launch_config $what', async ({ text, why }) => {
    if (text === undefined) rmSync(job('launch_config'))
    else writeFileSync(job('launch_config'), text)
    writeFileSync(index('preprocessing'), '')
    expect(await serve(({ manager }) => manager.status('7'))).toMatchObject({
      status: 'failed',
      stderr: expect.stringContaining(`it cannot be continued: its launch_config ${why}`),
    })
    expect(existsSync(index('preprocessing'))).toBe(false)
    expect(scheduler.submitted).toEqual([])
    await serve(({ manager }) => manager.clean('7'))
    expect(existsSync(job())).toBe(false)
  })

  it('is left alone while its launch_config may not be read, and continued as soon as somebody asks after that', async () => {
    writeFileSync(index('active'), '')
    flag('preprocessed', true)
    flag('submitted', 'true')
    flag('external_id', '77')
    scheduler.known.set('7', '77')
    closeLaunchConfig()
    await serve(async ({ manager, context }) => {
      expect((await manager.status('7')).status).toBe('preprocessing')
      expect([context.jobs.has('7'), existsSync(index('active'))]).toEqual([false, true])
      chmodSync(job('launch_config'), 0o600)
      expect((await manager.status('7')).status).toBe('queued')
      expect(existsSync(index('active'))).toBe(false)
    })
    expect(scheduler.submitted).toEqual([])
  })

  it('is cancelled, not failed, when it was, whatever its launch_config', async () => {
    writeFileSync(job('launch_config'), '[]')
    flag('cancelled', true)
    writeFileSync(index('preprocessing'), '')
    expect(await status()).toBe('cancelled')
  })

  it('is left alone and named when its directory is not there', async () => {
    rmSync(job(), { recursive: true })
    writeFileSync(index('preprocessing'), '')
    const said: unknown[] = []
    const log = { ...silentLogger, warn: (...words: unknown[]) => void said.push(words) }
    const running = await startManager(root, scheduler, { store, log: { ...log, child: () => log } })
    await running.load()
    await running.close()
    expect(JSON.stringify(said)).toMatch(/"job":"7".*is not there.*one job, named above/)
    expect(existsSync(index('preprocessing'))).toBe(true)
  })

  it('is failed, with the reason, when it could not be launched', async () => {
    flag('preprocessing_failed', true)
    writeFileSync(job('stderr'), 'No such host')
    expect(await status()).toBe('failed')
    writeFileSync(index('preprocessing'), '')
    const document = await serve(({ manager }) => manager.status('7'))
    expect(document).toMatchObject({ status: 'failed', stderr: expect.stringContaining('No such host') })
  })

  it('is failed with the begin and the end of a reason that is far too long, in a log line of a length', async () => {
    flag('preprocessing_failed', true)
    writeFileSync(job('stderr'), `begin ${'"'.repeat(3_000_000)} end`)
    writeFileSync(index('preprocessing'), '')
    const said: string[] = []
    const warn = (first: object | string, second?: string): void => void said.push(second ?? String(first))
    const log: Logger = { ...silentLogger, warn, child: () => log }
    const running = await startManager(root, scheduler, { store, log })
    await running.load()
    const { status, stderr } = await running.manager.status('7')
    await running.close()
    expect(status).toBe('failed')
    expect(/^begin "+\n\.\.\n"+ end\n$/.test(String(stderr))).toBe(true)
    expect(JSON.stringify(await store.get('ended/_default_/7')).length).toBeLessThan(100_000)
    expect(said.some((line) => line.includes('begin'))).toBe(true)
    expect(Math.max(...said.map((line) => line.length))).toBeLessThan(3000)
  })

  it('goes when it is cleaned after it had ended there, and nothing else does', async () => {
    flag('final_status', 'complete')
    await serve(({ manager }) => manager.clean('7'))
    expect(existsSync(job())).toBe(false)
    mkdirSync(job('outputs'), { recursive: true })
    await serve(({ manager }) => manager.clean('7'))
    expect(existsSync(job('outputs'))).toBe(true)
  })

  describe('that was handed over', () => {
    beforeEach(() => {
      flag('preprocessed', true)
      flag('submitted', 'true')
      writeFileSync(index('active'), '')
    })

    it('is launched when it waited in the queue', async () => {
      writeFileSync(job('command_line'), job('command.sh'))
      await launched()
      expect(existsSync(job('command_line'))).toBe(false)
      expect(scheduler.submitted).toHaveLength(1)
    })

    it('is launched when its script was never started', async () => {
      await launched()
      expect(scheduler.submitted).toHaveLength(1)
    })

    it('is watched by its external id', async () => {
      flag('external_id', '4711')
      scheduler.known.set('7', '4711')
      scheduler.reports.set('4711', { state: 'running' })
      expect(await launched()).toBe('4711')
      expect(scheduler.submitted).toEqual([])
    })

    it('is cancelled when it was, and what still runs of it is stopped', async () => {
      flag('external_id', '4711')
      flag('cancelled', true)
      scheduler.known.set('7', '4711')
      scheduler.reports.set('4711', { state: 'running' })
      await serve(async ({ manager }) => {
        expect((await manager.status('7')).status).toBe('cancelled')
        await waitFor(() => scheduler.cancelled.includes('4711'), { what: 'cancel' })
      })
    })

    it.each([
      { end: 'complete', code: '3\n' },
      { end: 'failed', code: undefined },
    ])('is $end when it ended meanwhile, with return code $code', async ({ end, code }) => {
      writeFileSync(job('metadata/job_stdout'), '')
      flag('pid', String(process.pid))
      if (code !== undefined) writeFileSync(job('return_code'), code)
      expect(await status()).toBe(end)
      expect(scheduler.submitted).toEqual([])
    })

    it('is failed for what is known, when its process ended and nobody saw how', async () => {
      writeFileSync(job('metadata/job_stdout'), '')
      const { stderr } = await serve(({ manager }) => manager.status('7'))
      expect(stderr).toMatch(/its command ended the shell of the job by itself \(exit\), or it was killed/)
      expect(scheduler.submitted).toEqual([])
    })

    it('is lost when the machine went down since its last sign of life', async () => {
      writeFileSync(job('metadata/job_stdout'), '')
      const before = new Date(Date.now() - (os.uptime() + 60) * 1000)
      utimesSync(job('metadata/job_stdout'), before, before)
      const document = await serve(({ manager }) => manager.status('7'))
      expect(document).toMatchObject({ status: 'lost', stderr: expect.stringContaining('machine went down') })
      expect(scheduler.submitted).toEqual([])
    })

    it('is watched when the process that its pid names works in its directory', async () => {
      const tool = spawn('sleep', ['60'], { cwd: job('working') })
      try {
        flag('pid', String(tool.pid))
        writeFileSync(job('metadata/job_stdout'), '')
        scheduler.known.set('7', '7')
        scheduler.reports.set('7', { state: 'running' })
        await launched()
        expect(readFileSync(job('started'), 'utf8')).toMatch(new RegExp(`^:${tool.pid}:\\d+:`))
        expect(scheduler.submitted).toEqual([])
      } finally {
        tool.kill('SIGKILL')
      }
    })
  })
})
