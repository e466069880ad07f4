import { once } from 'node:events'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { connect as connectSocket, createServer } from 'node:net'
import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type ControlClient, connectControl } from '../../src/control/client.js'
import { createNodeControl } from '../../src/control/node-control.js'
import { listenForControl } from '../../src/control/server.js'
import { type ControlPlace, controlPlace } from '../../src/control/socket-path.js'
import { removeExpired, startExpiry } from '../../src/jobs/expire.js'
import type { RunningManager } from '../../src/jobs/manager.js'
import { endedKey, type JobRecord } from '../../src/jobs/record.js'
import { retryStageOut } from '../../src/jobs/retry-stage-out.js'
import { silentLogger } from '../../src/lib/log.js'
import { limitTime } from '../../src/lib/time-limit.js'
import { createHttpClient } from '../../src/staging/node-http-client.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { createFakeScheduler, type FakeScheduler } from '../helpers/fake-scheduler.js'
import { startJobFilesServer } from '../helpers/job-files-server.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

/** Answers of the control socket to targets that no client of ours sends. */
async function askRaw(socketPath: string, method: string, target: string): Promise<string> {
  const socket = connectSocket(socketPath)
  const said: Buffer[] = []
  socket.on('data', (piece: Buffer) => said.push(piece))
  socket.end(`${method} ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await once(socket, 'close')
  return Buffer.concat(said).toString('latin1')
}

const FAST = { maxRetries: 1, intervalStartMs: 1, intervalStepMs: 0, intervalMaxMs: 1 }
const DAY_MS = 86_400_000
const never = new AbortController().signal

let root: string
let store: Store
let scheduler: FakeScheduler
let running: RunningManager
let place: ControlPlace
let client: ControlClient

beforeEach(async () => {
  root = await tempDirectory()
  store = openMemoryStore()
  scheduler = createFakeScheduler()
  const galaxy = createHttpClient({ log: silentLogger, maxSockets: 8 })
  running = await startManager(root, scheduler, {
    store,
    http: galaxy,
    config: { stageOutRetries: FAST },
  })
  place = controlPlace({ persistenceDirectory: path.join(root, 'active'), stagingDirectory: root })
  const server = await listen(place, [running])
  client = await connect(place)
  return async () => {
    await server.close()
    await running.close()
    await galaxy.close()
  }
})

function listen(where: ControlPlace, managers: readonly RunningManager[]) {
  const control = createNodeControl({
    managers,
    version: '1.2.3',
    startedAtMs: 1000,
    url: 'http://127.0.0.1:1/',
    directories: [{ what: 'jobs', directory: root }],
    reloadTokens: async () => 2,
    appReadAtMs: () => undefined,
  })
  return listenForControl(where, control, silentLogger)
}

async function connect(where: ControlPlace): Promise<ControlClient> {
  const found = await connectControl(where, never)
  if (!found) throw new Error('nobody listens')
  return found
}

async function submit(id: string, remoteStaging: Record<string, unknown> = {}): Promise<void> {
  await running.manager.setup({ jobId: id, toolId: 'cat1', toolVersion: '2.0' })
  await running.manager.submit(id, submitRequest('true', { remote_staging: remoteStaging }))
  await untilStatus(running, id, 'queued')
  await waitFor(() => running.context.jobs.get(id)?.externalId, { what: `external id of ${id}` })
}

/** The tool of a job ends well. */
function end(id: string): void {
  writeFileSync(path.join(root, 'jobs', id, 'return_code'), '0\n')
  scheduler.report(`x-${id}`, { state: 'ended', exitCode: 0 })
}

async function remember(id: string, status: JobRecord['status'], atMs: number, more = {}): Promise<void> {
  const value: JobRecord = {
    id,
    status,
    sequence: 1,
    submittedAtMs: atMs - 1000,
    history: [
      { status: 'preprocessing', atMs: atMs - 1000 },
      { status, atMs },
    ],
    ...more,
  }
  await store.write([{ type: 'put', key: endedKey('_default_', id), value }])
}

describe('the control socket', () => {
  it('is for its user alone', () => {
    expect(statSync(place.socket).mode & 0o777).toBe(0o600)
    expect(statSync(place.directory).mode & 0o777).toBe(0o700)
  })

  it('works below a path that is longer than the kernel takes', async () => {
    const long = path.join(root, 'x'.repeat(120))
    mkdirSync(long)
    const there = controlPlace({ persistenceDirectory: long, stagingDirectory: root })
    const server = await listen(there, [running])
    expect((await (await connect(there)).status()).version).toBe('1.2.3')
    await server.close()
    expect(await connectControl(there, never)).toBeUndefined()
  })

  it('takes the place of a socket that nobody listens on any more, and of no other', async () => {
    await expect(listen(place, [running])).rejects.toThrow('another server listens')
    const there = controlPlace({ persistenceDirectory: null, stagingDirectory: root })
    mkdirSync(there.directory, { recursive: true })
    // What a killed server leaves: a file that nothing answers on.
    const killed = createServer().listen(there.socket)
    await new Promise((resolve) => killed.once('listening', resolve))
    const { renameSync } = await import('node:fs')
    renameSync(there.socket, `${there.socket}.kept`)
    await new Promise((resolve) => killed.close(resolve))
    renameSync(`${there.socket}.kept`, there.socket)
    expect(await connectControl(there, never)).toBeUndefined()
    const server = await listen(there, [running])
    expect((await (await connect(there)).status()).running).toBe(true)
    await server.close()
  })

  it.each([
    ['accepts and says nothing', '', 'does not answer'],
    ['says nonsense', 'hello\r\n\r\n', 'does not answer'],
    [
      'speaks HTTP of another kind',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}',
      "is not this node's server",
    ],
    [
      'has an error page',
      'HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n<p/>',
      "is not this node's server",
    ],
  ])('is not believed when who listens there %s', async (_what, answer, message) => {
    const there = controlPlace({ persistenceDirectory: path.join(root, 'foreign'), stagingDirectory: root })
    mkdirSync(there.directory, { recursive: true })
    const foreign = createServer((socket) => {
      socket.on('error', () => {})
      if (answer !== '') socket.end(answer)
    }).listen(there.socket)
    onTestFinished(() => void foreign.close())
    await once(foreign, 'listening')
    await expect(connectControl(there, never, 300)).rejects.toMatchObject({
      code: 'NODE_SILENT',
      message: expect.stringContaining(message),
    })
  })

  it('is not believed when it answers a question with something else', async () => {
    const there = controlPlace({ persistenceDirectory: path.join(root, 'foreign'), stagingDirectory: root })
    mkdirSync(there.directory, { recursive: true })
    const foreign = http
      .createServer((_request, response) => response.end('{"pid":1,"jobs":{}}'))
      .listen(there.socket)
    onTestFinished(() => void foreign.close())
    await once(foreign, 'listening')
    const other = await connect(there)
    for (const answer of [other.status(), other.jobs({ ended: 1 }), other.job('1'), other.reloadTokens()])
      await expect(answer).rejects.toMatchObject({ code: 'NODE_SILENT' })
  })

  it('keeps its time limit when memory is cleaned up meanwhile', async () => {
    const limit = limitTime(never, 200)
    setFlagsFromString('--expose-gc')
    runInNewContext('gc')()
    await waitFor(() => limit.isUp(), { what: 'the end of the time' })
    expect(limit.signal.aborted).toBe(true)
  })

  it('answers what it does not know with an error, and goes on', async () => {
    const ask = (method: string, target: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const sent = http.request({ socketPath: place.socket, method, path: target }, (answer) => {
          answer.resume()
          answer.once('end', () => resolve(answer.statusCode))
        })
        sent.once('error', reject).end()
      })
    for (const [method, target] of [
      ['GET', '/nowhere'],
      ['GET', '/jobs/%E0%A4%A'],
      ['DELETE', '/jobs/1'],
      ['POST', '/jobs/1/explode'],
      ['POST', '/expire?older_than_ms=x'],
    ] as const)
      expect(await ask(method, target), target).toBeGreaterThanOrEqual(400)
    await expect(client.job('../1')).rejects.toMatchObject({ code: 'JOB_ID_INVALID' })
    expect((await client.jobs({ ended: 1 })).jobs).toEqual([])
  })
})

describe('jobs over the control socket', () => {
  it('are listed with tool, state, external id and reason, and counted', async () => {
    await submit('1')
    await remember('0', 'failed', 5000, { reason: 'no space' })
    const { jobs, counts } = await client.jobs({ ended: 10 })
    expect(jobs).toMatchObject([
      { id: '1', toolId: 'cat1', toolVersion: '2.0', status: 'queued', externalId: 'x-1' },
      { id: '0', status: 'failed', reason: 'no space', sinceMs: 5000 },
    ])
    expect(counts).toEqual({ queued: 1, failed: 1 })
    const failed = await client.jobs({ ended: 10, states: ['failed'] })
    expect(failed.jobs.map(({ id }) => id)).toEqual(['0'])
    expect((await client.status()).lastFailures.map(({ id }) => id)).toEqual(['0'])
  })

  it('have a timeline of all their states, also when they are over', async () => {
    await submit('1')
    scheduler.report('x-1', { state: 'running' })
    await untilStatus(running, '1', 'running')
    end('1')
    await untilStatus(running, '1', 'complete')
    const job = await client.job('1')
    expect(job.history.map(({ status }) => status)).toEqual([
      'preprocessing',
      'queued',
      'running',
      'complete',
    ])
    const times = job.history.map(({ atMs }) => atMs)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(job).toMatchObject({ externalId: 'x-1', found: { returnCode: 0, hasScript: true } })
  })

  it('show the last of those that are over first, and say how many more there are', async () => {
    for (let at = 1; at <= 5; at++) await remember(`${at}`, 'complete', at * 1000)
    const { jobs, left } = await client.jobs({ ended: 2 })
    expect(jobs.map(({ id }) => id)).toEqual(['5', '4'])
    expect(left).toBe(3)
  })

  it('are cancelled and cleaned', async () => {
    await submit('1')
    await client.act('cancel', '1')
    expect(scheduler.cancelled).toEqual(['x-1'])
    expect(await client.job('1')).toMatchObject({ status: 'cancelled', stopping: true })
    scheduler.report('x-1', { state: 'gone' })
    await waitFor(() => !running.context.jobs.has('1'), { what: 'end of the job' })
    await client.act('clean', '1')
    await expect(client.job('1')).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
  })

  it('expire when they were over for long enough, and not before', async () => {
    const nowMs = Date.now()
    await remember('old', 'complete', nowMs - 8 * DAY_MS)
    await remember('new', 'complete', nowMs - 6 * DAY_MS)
    await submit('1')
    expect(await client.expire(7 * DAY_MS, true)).toMatchObject({ jobs: [{ id: 'old' }], removed: 0 })
    expect((await client.jobs({ ended: 9 })).jobs).toHaveLength(3)
    expect(await client.expire(7 * DAY_MS, false)).toEqual({ jobs: [], removed: 1, kept: [] })
    expect((await store.get(endedKey('_default_', 'old'))) === undefined).toBe(true)
    expect((await store.get(endedKey('_default_', 'new'))) === undefined).toBe(false)
    expect(running.context.jobs.has('1')).toBe(true)
  })
})

it('has the server itself remove what expired, when that is wished', async () => {
  await remember('old', 'complete', Date.now() - 8 * DAY_MS)
  await remember('new', 'complete', Date.now())
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const stop = startExpiry([running], 7 * DAY_MS, silentLogger)
  onTestFinished(stop)
  vi.advanceTimersByTime(60_000)
  vi.useRealTimers()
  await waitFor(async () => (await client.jobs({ ended: 9 })).jobs.length === 1, { what: 'one job' })
  expect((await client.jobs({ ended: 9 })).jobs).toMatchObject([{ id: 'new' }])
})

describe('retry-stage-out', () => {
  const staging = (endpoint: string) => ({
    action_mapper: { default_action: 'remote_transfer', files_endpoint: endpoint, paths: [] },
    client_outputs: {
      working_directory: '/galaxy/w',
      metadata_directory: null,
      job_directory: null,
      work_dir_outputs: [],
      output_files: ['/galaxy/out'],
      version_file: null,
      dynamic_outputs: null,
      dynamic_file_sources: null,
      dataset_collector_descriptions: [],
    },
  })

  it('delivers the outputs of a failed job again, and the job is complete without its old reason', async () => {
    const galaxy = await startJobFilesServer()
    await submit('1', staging(galaxy.endpoint))
    writeFileSync(path.join(root, 'jobs', '1', 'outputs', 'out'), 'result')
    galaxy.plan = () => ({ kind: 'status', status: 404, late: true })
    end('1')
    await untilStatus(running, '1', 'failed')
    expect(await client.job('1')).toMatchObject({ canRetryStageOut: true, externalId: 'x-1' })
    expect(galaxy.uploads.size).toBe(0)

    galaxy.plan = () => undefined
    await client.act('retry-stage-out', '1')
    await untilStatus(running, '1', 'complete')
    expect([...galaxy.uploads.keys()]).toEqual(['/galaxy/out'])
    const job = await client.job('1')
    expect(job.history.map(({ status }) => status).slice(-4)).toEqual([
      'postprocessing',
      'failed',
      'postprocessing',
      'complete',
    ])
    expect(job.reason).toBeUndefined()
    expect(await running.manager.status('1')).toMatchObject({ status: 'complete', stderr: '' })
  })

  it('and the expiry of the same job at the same time: the first wins, the other says so', async () => {
    const galaxy = await startJobFilesServer()
    onTestFinished(() => galaxy.close())
    galaxy.plan = () => ({ kind: 'status', status: 404, late: true })
    for (const id of ['1', '2']) {
      await submit(id, staging(galaxy.endpoint))
      writeFileSync(path.join(root, 'jobs', id, 'outputs', 'out'), 'result')
      end(id)
      await untilStatus(running, id, 'failed')
    }
    galaxy.plan = () => undefined
    const { lock } = running.context
    const asked = vi.spyOn(lock, 'run')
    /** Has both wait for the job, one before the other. */
    const race = async <A, B>(id: string, first: () => Promise<A>, second: () => Promise<B>) => {
      let go = (): void => {}
      asked.mockClear()
      const held = lock.run(id, () => new Promise<void>((resolve) => (go = resolve)))
      const waiting = (): number => asked.mock.calls.filter(([key]) => key === id).length
      const one = first()
      await waitFor(() => waiting() === 2, { what: 'first' })
      const two = second()
      await waitFor(() => waiting() === 3, { what: 'second' })
      go()
      return { held: await held, ends: await Promise.allSettled([one, two]) }
    }
    const retry = (id: string) => () => retryStageOut(running.context, id)
    const expire = () => removeExpired(running, DAY_MS, Date.now() + 2 * DAY_MS)

    const { ends: retried } = await race('1', retry('1'), expire)
    expect(retried).toMatchObject([
      { status: 'fulfilled' },
      { value: { removed: 1, kept: [{ id: '1', why: 'it is not over any more' }] } },
    ])
    await untilStatus(running, '1', 'complete')
    expect([...galaxy.uploads.keys()]).toEqual(['/galaxy/out'])

    await submit('3', staging(galaxy.endpoint))
    galaxy.plan = () => ({ kind: 'status', status: 404, late: true })
    writeFileSync(path.join(root, 'jobs', '3', 'outputs', 'out'), 'result')
    end('3')
    await untilStatus(running, '3', 'failed')
    const { ends: expired } = await race('3', expire, retry('3'))
    expect(expired).toMatchObject([{ value: { removed: 2, kept: [] } }, { reason: { code: 'JOB_UNKNOWN' } }])
  })

  it('refuses what has nothing to be delivered, and changes nothing', async () => {
    await submit('1')
    await expect(client.act('retry-stage-out', '1')).rejects.toMatchObject({ code: 'JOB_NOT_RETRIED' })
    end('1')
    await untilStatus(running, '1', 'complete')
    await expect(client.act('retry-stage-out', '1')).rejects.toThrow('complete, not failed')
    await remember('2', 'failed', 1, { stagesOut: true, end: { status: 'complete' } })
    await expect(client.act('retry-stage-out', '2')).rejects.toThrow('directory is gone')
    await remember('3', 'failed', 1)
    await expect(client.act('retry-stage-out', '3')).rejects.toThrow('no outputs')
    expect((await client.job('2')).status).toBe('failed')
  })
})

it('asks which manager is meant when several have a job of that id', async () => {
  const directory = await tempDirectory()
  const other = await startManager(directory, createFakeScheduler(), { store, config: { name: 'other' } })
  onTestFinished(() => other.close())
  const there = controlPlace({ persistenceDirectory: directory, stagingDirectory: root })
  const server = await listen(there, [running, other])
  onTestFinished(() => server.close())
  const both = await connect(there)
  await remember('1', 'complete', 1000)
  await store.write([
    {
      type: 'put',
      key: endedKey('other', '1'),
      value: { id: '1', status: 'lost', sequence: 1, submittedAtMs: 1 },
    },
  ])
  await expect(both.job('1')).rejects.toThrow('several managers have a job 1')
  expect(await both.job('1', 'other')).toMatchObject({ manager: 'other', status: 'lost' })
})

it.each([
  '/jobs/%',
  '/jobs/%ff/cancel',
  '//',
  '/jobs/%00',
  '/jobs/..%2f..%2fx',
  'http://[',
  '/jobs/__proto__',
  '/\u00ff?%',
  '*',
])('a target that cannot be understood is no failure of the server: %s', async (target) => {
  for (const method of ['GET', 'POST', 'DELETE']) {
    const said = await askRaw(place.socket, method, target)
    expect(said).toMatch(/^HTTP\/1\.1 400 /)
    expect(said).not.toContain('INTERNAL')
  }
  expect((await client.status()).running).toBe(true)
})
