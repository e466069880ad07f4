import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { RunningManager } from '../../src/jobs/manager.js'
import { silentLogger } from '../../src/lib/log.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import type { Scheduler } from '../../src/schedulers/scheduler.js'
import { createHttpClient } from '../../src/staging/node-http-client.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { createFakeScheduler, type FakeScheduler } from '../helpers/fake-scheduler.js'
import { startJobFilesServer } from '../helpers/job-files-server.js'
import { startManager, submitRequest } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

// Jobs that a Python server has launched and dropped from its index, played by their files; test/peers/dropped-jobs.test.ts has the real one.

let root: string
let store: Store
let scheduler: FakeScheduler

const job = (name = ''): string => path.join(root, 'jobs', '7', name)
const flag = (name: string, value: unknown): void => writeFileSync(job(name), JSON.stringify(value))
const index = (kind: string, manager = '_default_'): string =>
  path.join(root, 'active', `${manager}-${kind}-jobs`, '7')

/** Runs a server until `until` has come true. */
async function serve<T>(
  until: (running: RunningManager) => Promise<T>,
  more: Partial<Parameters<typeof startManager>[2]> & { with?: Scheduler } = {},
): Promise<T> {
  const { with: other = scheduler, ...rest } = more
  const http = createHttpClient({ log: silentLogger, maxSockets: 8 })
  const running = await startManager(root, other, { store, http, ...rest })
  try {
    await running.load()
    await running.recover()
    return await until(running)
  } finally {
    await running.close()
    await http.close()
  }
}

const status = (): Promise<unknown> => serve(async ({ manager }) => (await manager.status('7')).status)
const launched = (): Promise<string> =>
  serve(({ context }) => waitFor(() => context.jobs.get('7')?.externalId, { what: 'launch' }))

/** Its script, as a Python server starts it: by its own process group, in the directory of the job. */
function startScript(): ChildProcess {
  writeFileSync(job('command.sh'), `echo run >> '${root}/runs'; sleep 60; echo 0 > '${job('return_code')}'\n`)
  writeFileSync(job('metadata/job_stdout'), '')
  const script = spawn('/bin/bash', [job('command.sh')], {
    cwd: job('working'),
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env.PATH, _GALAXY_JOB_HOME_DIR: job('home') },
  })
  onTestFinished(() => {
    try {
      process.kill(-(script.pid ?? 0), 'SIGKILL')
    } catch {
      // It was ended, as it should be.
    }
  })
  return script
}
const ended = (script: ChildProcess): Promise<unknown> =>
  waitFor(() => script.signalCode !== null || script.exitCode !== null, { what: 'end of the process' })

/** What a Python server makes until its script runs; the index entry was dropped. */
function leaveDirectory(): void {
  for (const name of ['inputs', 'outputs', 'working', 'metadata']) mkdirSync(job(name), { recursive: true })
  flag('launch_config', { command_line: 'true', remote_staging: {} })
  flag('tool_id', 'cat1')
  flag('tool_version', '1')
}

beforeEach(async () => {
  root = await tempDirectory()
  store = openMemoryStore()
  scheduler = createFakeScheduler()
  await serve(async () => {})
  leaveDirectory()
})

describe('a job that a Python server has dropped from its index', () => {
  beforeEach(() => {
    flag('preprocessed', true)
    flag('running', true)
    flag('submitted', 'true')
  })

  it('is watched when the process that its pid names works in its directory', async () => {
    const script = startScript()
    flag('pid', String(script.pid))
    scheduler.known.set('7', '7')
    scheduler.reports.set('7', { state: 'running' })
    await launched()
    expect(readFileSync(job('started'), 'utf8')).toMatch(new RegExp(`^:${script.pid}:\\d+:`))
    expect(scheduler.submitted).toEqual([])
  })

  it('is watched when its script runs and its pid was not written', async () => {
    const script = startScript()
    scheduler.known.set('7', '7')
    scheduler.reports.set('7', { state: 'running' })
    await launched()
    expect(readFileSync(job('started'), 'utf8')).toMatch(new RegExp(`^:${script.pid}:\\d+:`))
    expect(scheduler.submitted).toEqual([])
  })

  it.each(['cancelled', 'cleaned'])('has its process ended when it is %s', async (how) => {
    const script = startScript()
    flag('pid', String(script.pid))
    await waitFor(() => existsSync(path.join(root, 'runs')), { what: 'begin of the script' })
    const local = createLocalScheduler({ limit: 1, killGraceMs: 100 }, silentLogger)
    await serve(
      async ({ manager }) => {
        if (how === 'cancelled') await manager.cancel('7')
        else await manager.clean('7')
        await ended(script)
        if (how === 'cancelled') expect((await manager.status('7')).status).toBe('cancelled')
        else expect(existsSync(job())).toBe(false)
      },
      { with: local },
    )
  })

  it.each([
    { end: 'complete', code: '3\n' },
    { end: 'failed', code: undefined },
  ])('is $end when it has ended, with return code $code', async ({ end, code }) => {
    writeFileSync(job('metadata/job_stdout'), '')
    flag('pid', '999999999')
    if (code !== undefined) writeFileSync(job('return_code'), code)
    expect(await status()).toBe(end)
    expect(scheduler.submitted).toEqual([])
  })

  it('is complete when its end was seen by the Python server, which had no time to write that down', async () => {
    rmSync(job('submitted'))
    rmSync(job('preprocessed'))
    writeFileSync(job('metadata/job_stdout'), '')
    writeFileSync(job('return_code'), '0\n')
    expect(await status()).toBe('complete')
  })

  it('has its outputs delivered when it has ended', async () => {
    const galaxy = await startJobFilesServer()
    const client_outputs = {
      working_directory: '/galaxy/w',
      metadata_directory: null,
      job_directory: null,
      work_dir_outputs: [],
      output_files: ['/galaxy/one.dat'],
      version_file: null,
      dynamic_outputs: null,
      dynamic_file_sources: null,
      dataset_collector_descriptions: [],
    }
    const action_mapper = {
      default_action: 'remote_transfer',
      files_endpoint: galaxy.endpoint,
      ssh_user: null,
      ssh_host: null,
      ssh_port: null,
      paths: [],
    }
    flag('launch_config', {
      command_line: 'true',
      remote_staging: { setup: [], action_mapper, client_outputs },
    })
    writeFileSync(job('outputs/one.dat'), 'one')
    writeFileSync(job('metadata/job_stdout'), '')
    writeFileSync(job('return_code'), '0\n')
    await serve(({ manager }) =>
      waitFor(async () => (await manager.status('7')).status === 'complete', { what: 'end' }),
    )
    expect(galaxy.uploads.get('/galaxy/one.dat')?.content?.toString()).toBe('one')
    // Over is over: the next start has nothing to do.
    const uploads = galaxy.log.length
    expect(await status()).toBe('complete')
    expect(galaxy.log).toHaveLength(uploads)
  })

  it('is launched when its script was never started', async () => {
    writeFileSync(job('command_line'), job('command.sh'))
    await launched()
    expect(scheduler.submitted).toHaveLength(1)
    expect(existsSync(job('command_line'))).toBe(false)
  })

  it('is not launched when its script may have begun, whatever waits in the queue', async () => {
    writeFileSync(job('command_line'), job('command.sh'))
    writeFileSync(job('metadata/job_stdout'), '')
    expect(await status()).toBe('failed')
    expect(scheduler.submitted).toEqual([])
  })

  it.each([
    { what: 'a file', put: () => writeFileSync(job('metadata'), '') },
    { what: 'a link to itself', put: () => symlinkSync('metadata', job('metadata')) },
  ])('ends no start, and is not launched again, when its tool has put $what in place of its metadata', async ({
    put,
  }) => {
    rmSync(job('metadata'), { recursive: true })
    put()
    expect(await status()).toBe('failed')
    expect(scheduler.submitted).toEqual([])
  })

  it('is failed, with the reason, when its launch_config is damaged', async () => {
    writeFileSync(job('launch_config'), '{"comm')
    expect(await serve(({ manager }) => manager.status('7'))).toMatchObject({
      status: 'failed',
      stderr: expect.stringContaining('cut off or damaged'),
    })
  })

  it('is not started again by a second submit, and its process is ended by a cancel, when it shows up while we run', async () => {
    const local = createLocalScheduler({ limit: 1, killGraceMs: 100 }, silentLogger)
    const away = path.join(root, 'away')
    renameSync(job(), away)
    await serve(
      async ({ manager }) => {
        renameSync(away, job())
        const script = startScript()
        flag('pid', String(script.pid))
        const config = readFileSync(job('launch_config'), 'utf8')
        await manager.submit('7', submitRequest(`echo second >> '${root}/runs'`))
        expect(readFileSync(job('launch_config'), 'utf8')).toBe(config)
        expect((await manager.status('7')).status).toMatch(/^(queued|running)$/)
        await waitFor(() => existsSync(path.join(root, 'runs')), { what: 'begin of the script' })
        await manager.cancel('7')
        await ended(script)
      },
      { with: local },
    )
    expect(readFileSync(path.join(root, 'runs'), 'utf8')).toBe('run\n')
  })

  it.each([
    'status',
    'cancel',
    'clean',
  ] as const)('is taken over by %s when it shows up while we run', async (how) => {
    const local = createLocalScheduler({ limit: 1, killGraceMs: 100 }, silentLogger)
    const away = path.join(root, 'away')
    renameSync(job(), away)
    await serve(
      async ({ manager }) => {
        renameSync(away, job())
        const script = startScript()
        flag('pid', String(script.pid))
        await waitFor(() => existsSync(path.join(root, 'runs')), { what: 'begin of the script' })
        if (how === 'status') {
          expect((await manager.status('7')).status).toMatch(/^(queued|running)$/)
          await manager.cancel('7')
        } else await manager[how]('7')
        await ended(script)
      },
      { with: local },
    )
  })

  it('is left to the manager that has it, where several share a directory, and else is whose that is asked for it', async () => {
    flag('pid', '999999999')
    writeFileSync(job('return_code'), '0\n')
    const config = { name: 'first' }
    await serve(
      async ({ manager, context }) => {
        expect(context.jobs.has('7')).toBe(false)
        mkdirSync(path.dirname(index('active', 'second')), { recursive: true })
        writeFileSync(index('active', 'second'), '')
        expect((await manager.status('7')).status).toBe('preprocessing')
        rmSync(index('active', 'second'))
        expect((await manager.status('7')).status).toBe('complete')
      },
      { config, neighbours: ['second'] },
    )
  })

  it.each([
    { what: 'a cluster has it and this manager runs jobs here', type: 'queued_python' as const },
    { what: 'it runs here and the jobs of this manager on a cluster', type: 'queued_cli' as const },
  ])('is left alone when $what', async ({ type }) => {
    if (type === 'queued_python') flag('external_id', '4711')
    else flag('pid', String(startScript().pid))
    await serve(async ({ context }) => expect(context.jobs.has('7')).toBe(false), { config: { type } })
    expect(scheduler.submitted).toEqual([])
  })
})

describe('a directory in no index', () => {
  it('stays as it is when it was set up, or submitted and not launched', async () => {
    expect(await status()).toBe('preprocessing')
    await serve(async ({ manager }) => {
      await manager.submit('7', submitRequest('true'))
      await waitFor(() => scheduler.submitted.length === 1, { what: 'launch of its submit' })
    })
  })

  it('stays over when it was ours and has ended', async () => {
    await serve(async ({ manager, context }) => {
      await manager.submit('7', submitRequest('true'))
      await waitFor(() => context.jobs.get('7')?.externalId, { what: 'launch' })
      writeFileSync(job('return_code'), '0\n')
      scheduler.report('x-7', { state: 'ended' })
      await waitFor(async () => (await manager.status('7')).status === 'complete', { what: 'end' })
    })
    // As after a crash, and with what a Python server had left before.
    rmSync(job('final_status'), { force: true })
    flag('preprocessed', true)
    await serve(async ({ manager, context }) => {
      expect(context.jobs.has('7')).toBe(false)
      expect((await manager.status('7')).status).toBe('complete')
    })
  })

  it('is cancelled when it was, before its launch', async () => {
    flag('cancelled', true)
    expect(await status()).toBe('cancelled')
    expect(scheduler.submitted).toEqual([])
  })

  it.each([
    'at the start',
    'by the next cancel',
  ])('has a process that a cancel has missed ended %s', async (when) => {
    flag('preprocessed', true)
    flag('cancelled', true)
    flag('final_status', 'cancelled')
    const script = startScript()
    if (when === 'at the start') flag('pid', String(script.pid))
    await serve(
      async ({ manager }) => {
        flag('pid', String(script.pid))
        if (when !== 'at the start') await manager.cancel('7')
        await ended(script)
        expect((await manager.status('7')).status).toBe('cancelled')
      },
      { with: createLocalScheduler({ limit: 1, killGraceMs: 100 }, silentLogger) },
    )
  })

  it('is over when its end was recorded, also with a pid that is another process by now', async () => {
    flag('preprocessed', true)
    flag('cancelled', true)
    flag('final_status', 'cancelled')
    flag('pid', String(process.pid))
    await serve(async ({ context, manager }) => {
      expect(context.jobs.has('7')).toBe(false)
      expect((await manager.status('7')).status).toBe('cancelled')
    })
  })
})
