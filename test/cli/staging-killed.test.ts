import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { UPLOAD_PREFIX } from '../../src/lib/confined-file.js'
import { contentOf, createRandom, generated, sha256Of } from '../helpers/job-files/content.js'
import type { Fault, RequestRecord } from '../helpers/job-files/types.js'
import { type JobFilesServer, startJobFilesServer } from '../helpers/job-files-server.js'
import {
  createPulledJob,
  HTTP_ACTIONS,
  type HttpAction,
  type PulledJob,
  wrongOutputs,
} from '../helpers/pulled-job.js'
import { createPulsarClient, type PulsarClient } from '../helpers/pulsar-client.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'

/*
 * What a kill may cost, for each file that was under way at that moment:
 * - fetched, 4 MiB or more: what was not yet on disk, at most half a MiB of what had come, and 64 KiB that are compared; all of it when it had just got that (between a rename and a write)
 * - fetched, less: once more from its beginning (larger ones alone are noted before they are filled)
 * - posted as a form: once more
 * - uploaded by tus: nothing that the server had
 */
const MIB = 1024 * 1024
const HELD_BYTES = MIB / 2
const END_BYTES = 64 * 1024
const LARGE = 5 * MIB
const MEDIUM = 2_000_000
/** The largest that is held until it is whole. */
const HELD_WHOLE = MIB
/** Held too: the next may be asked for before it has its name. */
const SMALL = 70_000

let directory: string
let galaxy: JobFilesServer
let server: ServerProcess
let client: PulsarClient

const RETRIES = { max_retries: 50, interval_start: 0.02, interval_step: 0, interval_max: 0.02 }
const retries = (prefix: string) =>
  Object.fromEntries(Object.entries(RETRIES).map(([name, value]) => [`${prefix}_${name}`, value]))

async function start(perJob: number): Promise<void> {
  server = await startMagnetar({
    directory,
    app: {
      managers: {
        _default_: {
          type: 'queued_python',
          num_concurrent_jobs: 4,
          ...retries('preprocess_action'),
          ...retries('postprocess_action'),
        },
      },
      transfers_per_job: perJob,
    },
    env: { PULSAR_TUS_CHUNK_SIZE: '1000000' },
  })
  client = createPulsarClient(server.url)
}

beforeAll(async () => {
  directory = await tempDirectory()
  galaxy = await startJobFilesServer()
  await start(1)
}, 60_000)

afterAll(() => galaxy.close())

beforeEach(() => {
  galaxy.plan = () => undefined
  galaxy.events.removeAllListeners()
})

const jobFile = (job: PulledJob, name: string): string => path.join(directory, 'staging', job.id, name)
const requestsFor = (wanted: string, from = 0): RequestRecord[] =>
  galaxy.log.slice(from).filter(({ path: asked }) => asked === wanted)
const sum = (records: readonly RequestRecord[], what: 'sentBytes' | 'receivedBytes'): number =>
  records.reduce((bytes, record) => bytes + record[what], 0)

/** Bytes of the parts of inputs. */
function partSizes(job: PulledJob): number[] {
  const parts = readdirSync(jobFile(job, 'inputs')).filter((name) => name.startsWith(UPLOAD_PREFIX))
  return parts.map((name) => statSync(jobFile(job, `inputs/${name}`)).size)
}

/** Of one that is under way alone; 0 when there is none. */
const partBytes = (job: PulledJob): number => partSizes(job)[0] ?? 0

function expectInputsRight(job: PulledJob): void {
  for (const { name, content } of job.inputs) {
    const found = contentOf(readFileSync(jobFile(job, `inputs/${name}`)))
    expect([name, found.bytes, sha256Of(found)]).toEqual([name, content.bytes, sha256Of(content)])
  }
}

async function expectRight(job: PulledJob): Promise<void> {
  expect(await client.untilDone(job.id)).toMatchObject({ status: 'complete', returncode: 0 })
  expectInputsRight(job)
  expect(wrongOutputs(galaxy, job)).toEqual([])
}

let serial = 0

function makeJob(action: HttpAction, sizes: readonly number[], before?: string): PulledJob {
  const id = `${action}-${serial++}`
  const inputs = sizes.map((bytes, at) => ({ action, content: generated(bytes, serial * 10 + at) }))
  const outputs = sizes.map(() => action)
  return createPulledJob(galaxy, id, inputs, outputs, before)
}

async function submit(job: PulledJob): Promise<void> {
  await client.setup(job.id)
  await client.submit(job.id, job.commandLine, job.remoteStaging)
}

/** Resolves when the server is dead, which it is no later than the call of `kill` in `arm`. */
function killWhen(arm: (kill: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let armed = true
    arm(() => {
      if (!armed) return
      armed = false
      server.kill9().then(resolve, reject)
    })
  })
}

const onEvent = (name: 'request' | 'over', is: (record: RequestRecord) => boolean) => (kill: () => void) =>
  void galaxy.events.on(name, (record: RequestRecord) => is(record) && kill())

const onStored = (wanted: string) => (kill: () => void) =>
  void galaxy.events.on('stored', (stored: string) => stored === wanted && kill())

/** Kills at that moment, once the job is submitted; then the server is there again and the faults are over. */
async function killOnce(
  job: PulledJob,
  arm: (kill: () => void) => void,
  between = () => {},
): Promise<{ readonly requestsBefore: number }> {
  const dead = killWhen(arm)
  await submit(job)
  await dead
  galaxy.plan = () => undefined
  const requestsBefore = galaxy.log.length
  between()
  await start(1)
  return { requestsBefore }
}

const hangAt = (wanted: string, method: string, after: number) => {
  galaxy.plan = (record): Fault | undefined =>
    record.path === wanted && record.method === method ? { kind: 'hang', after } : undefined
}

describe.each(HTTP_ACTIONS)('a server that is killed while it fetches inputs: %s', (action) => {
  it('before the headers of an answer: nothing that was fetched is asked for again', async () => {
    const job = makeJob(action, [MEDIUM, MEDIUM, SMALL])
    const [first, second] = job.inputs
    hangAt(second?.path ?? '', 'GET', -1)
    const { requestsBefore } = await killOnce(
      job,
      onEvent('request', (record) => record.path === second?.path),
    )
    await expectRight(job)
    expect(requestsFor(first?.path ?? '')).toHaveLength(1)
    expect(requestsFor(second?.path ?? '', requestsBefore)).toHaveLength(1)
  })

  it('in the middle of a large file: it goes on from the bytes on disk', async () => {
    const job = makeJob(action, [LARGE, SMALL])
    const [large] = job.inputs
    const sent = 4 * MIB + 12_345
    hangAt(large?.path ?? '', 'GET', sent)
    const dead = killWhen((kill) => {
      void waitFor(() => partOf(job) >= sent - HELD_BYTES, { what: 'part on disk' }).then(kill)
    })
    await submit(job)
    await dead
    galaxy.plan = () => undefined
    const kept = partBytes(job)
    const requestsBefore = galaxy.log.length
    await start(1)
    await expectRight(job)
    expect(kept).toBeGreaterThanOrEqual(sent - HELD_BYTES)
    const after = requestsFor(large?.path ?? '', requestsBefore)
    expect(after.map(({ range }) => range)).toEqual([`bytes=${kept - END_BYTES}-`])
    expect(sum(after, 'sentBytes')).toBe(LARGE - kept + END_BYTES)
  })

  it('in the middle of a smaller file: of what is on disk only the headers are asked for', async () => {
    const job = makeJob(action, [MEDIUM, SMALL])
    const [medium] = job.inputs
    const sent = 700_000
    hangAt(medium?.path ?? '', 'GET', sent)
    const dead = killWhen((kill) => {
      void waitFor(() => partOf(job) >= sent - HELD_BYTES, { what: 'part on disk' }).then(kill)
    })
    await submit(job)
    await dead
    galaxy.plan = () => undefined
    const kept = partBytes(job)
    const requestsBefore = galaxy.log.length
    await start(1)
    await expectRight(job)
    const after = requestsFor(medium?.path ?? '', requestsBefore)
    expect(after.map(({ range }) => range)).toEqual([undefined, `bytes=${kept - END_BYTES}-`])
    expect(after[1]?.sentBytes).toBe(MEDIUM - kept + END_BYTES)
  })

  it('in the middle of a file that is held until it is whole: it comes once more', async () => {
    const job = makeJob(action, [SMALL, HELD_WHOLE])
    const [, held] = job.inputs
    hangAt(held?.path ?? '', 'GET', 700_000)
    const { requestsBefore } = await killOnce(
      job,
      onEvent('request', ({ path: of }) => of === held?.path),
    )
    await expectRight(job)
    const after = requestsFor(held?.path ?? '', requestsBefore)
    expect(after.map(({ range }) => range)).toEqual([undefined])
    expect(sum(after, 'sentBytes')).toBe(HELD_WHOLE)
  })

  it('during the HEAD that asks how long a file is', async () => {
    const job = makeJob(action, [SMALL, MEDIUM])
    const [, second] = job.inputs
    if (!second) return
    galaxy.serve(second.path, second.content, { framing: 'close' })
    hangAt(second.path, 'HEAD', -1)
    const { requestsBefore } = await killOnce(
      job,
      onEvent('request', ({ method }) => method === 'HEAD'),
    )
    await expectRight(job)
    // What is on disk is all there is.
    const last = requestsFor(second.path, requestsBefore).at(-1)
    expect([last?.range, last?.status]).toEqual([`bytes=${MEDIUM - END_BYTES}-`, 206])
  })

  it.each([
    ['a large', 0],
    ['a small', 1],
  ])('after the last byte of %s file, before it has its name', async (_, which) => {
    const job = makeJob(action, [LARGE, SMALL, SMALL])
    const wanted = job.inputs[which]
    const { requestsBefore } = await killOnce(
      job,
      onEvent('over', (record) => record.path === wanted?.path),
    )
    await expectRight(job)
    // At most once more, and only this one.
    expect(sum(requestsFor(wanted?.path ?? '', requestsBefore), 'sentBytes')).toBeLessThanOrEqual(
      wanted?.content.bytes ?? 0,
    )
    for (const { path: other } of job.inputs.slice(0, which)) expect(requestsFor(other)).toHaveLength(1)
  })

  it('between two files: the first is not asked for again', async () => {
    const job = makeJob(action, [LARGE, SMALL])
    const [first, second] = job.inputs
    await killOnce(
      job,
      onEvent('request', (record) => record.path === second?.path),
    )
    await expectRight(job)
    expect(requestsFor(first?.path ?? '')).toHaveLength(1)
  })

  it('when all inputs are there and the job is to be launched', async () => {
    const job = makeJob(action, [SMALL, SMALL], 'echo run >> runs')
    await killOnce(job, (kill) => void server.whenLogged(/preprocessing -> queued/).then(kill))
    await expectRight(job)
    for (const { path: input } of job.inputs) expect(requestsFor(input)).toHaveLength(1)
    expect(readFileSync(jobFile(job, 'working/runs'), 'utf8')).toBe('run\n')
  })
})

function partOf(job: PulledJob): number {
  try {
    return partBytes(job)
  } catch {
    // The directory is not made yet.
    return 0
  }
}

describe.each(HTTP_ACTIONS)('a server that is killed when a job has run: %s', (action) => {
  const delivered = (job: PulledJob): (number | undefined)[] =>
    job.outputs.map(({ path: output }) => galaxy.uploads.get(output)?.times)
  const isPost = ({ method, target }: RequestRecord): boolean =>
    method === 'POST' && !target.includes('resumable_upload')

  it('while nobody is there the job goes on, ends, and is delivered once', async () => {
    const go = path.join(directory, `go-${serial}`)
    const job = makeJob(action, [SMALL, SMALL], `until [ -e '${go}' ]; do sleep 0.05; done`)
    const dead = killWhen((kill) => void server.whenLogged(/queued -> running/).then(kill))
    await submit(job)
    await dead
    writeFileSync(go, '')
    await waitFor(() => returnCodeOf(job) === '0\n', { what: 'end of the job' })
    await start(1)
    await expectRight(job)
    expect(delivered(job)).toEqual([1, 1])
  })

  it('while its outputs are collected', async () => {
    const job = makeJob(action, [SMALL, MEDIUM])
    await killOnce(job, (kill) => void server.whenLogged(/-> postprocessing/).then(kill))
    await expectRight(job)
  })

  it('before an output is sent: the one before is not delivered twice', async () => {
    const job = makeJob(action, [SMALL, MEDIUM, SMALL])
    const second = job.outputs[1]?.path
    hangAt(second ?? '', 'POST', -1)
    await killOnce(
      job,
      onEvent('request', (record) => record.path === second && record.method === 'POST'),
    )
    await expectRight(job)
    expect(delivered(job)).toEqual([1, 1, 1])
    expect(requestsFor(job.outputs[0]?.path ?? '').filter(isPost)).toHaveLength(1)
  })

  it('in the middle of an output', async () => {
    const job = makeJob(action, [SMALL, LARGE])
    const large = job.outputs[1]
    if (!large) return
    const after = action === 'remote_transfer' ? 2_000_000 : 400_000
    const pieces = action === 'remote_transfer' ? 'POST' : 'PATCH'
    let seen = 0
    galaxy.plan = (record) =>
      record.path === large.path && record.method === pieces && seen++ === (pieces === 'POST' ? 0 : 2)
        ? { kind: 'hang', after }
        : undefined
    const { requestsBefore } = await killOnce(job, (kill) => {
      void waitFor(
        () => requestsFor(large.path).some(({ receivedBytes, fault }) => fault && receivedBytes >= after),
        {
          what: 'bytes of the output',
        },
      ).then(kill)
    })
    await expectRight(job)
    expect(delivered(job)).toEqual([1, 1])
    const sent = requestsFor(large.path).filter(({ method }) => method === pieces)
    if (action === 'remote_transfer_tus') {
      // From the offset: not one byte twice.
      expect(sum(sent, 'receivedBytes')).toBe(large.bytes)
      expect(requestsFor(large.path, requestsBefore)[0]?.method).toBe('HEAD')
    } else {
      expect(sent).toHaveLength(2)
    }
  })

  it('when Galaxy has stored an output and has not said so: that one alone is sent again', async () => {
    const job = makeJob(action, [SMALL, MEDIUM, SMALL])
    await killOnce(job, onStored(job.outputs[1]?.path ?? ''))
    await expectRight(job)
    const [first, second, third] = delivered(job)
    expect([first, third]).toEqual([1, 1])
    expect(second).toBeLessThanOrEqual(2)
  })

  it.each([0, 2, 8])('%d ms after the last output has arrived', async (delayMs) => {
    const job = makeJob(action, [SMALL, SMALL])
    const last = job.outputs[1]?.path
    await killOnce(job, (kill) => {
      galaxy.events.on('over', (record: RequestRecord) => {
        if (record.path === last && isPost(record)) setTimeout(kill, delayMs)
      })
    })
    await expectRight(job)
    const [first, second] = delivered(job)
    expect(first).toBe(1)
    expect(second).toBeLessThanOrEqual(2)
  })

  it('when it has said that the job is complete: nothing is sent any more', async () => {
    const job = makeJob(action, [SMALL, SMALL])
    const { requestsBefore } = await killOnce(job, (kill) => void server.whenLogged(/-> complete/).then(kill))
    await expectRight(job)
    expect(galaxy.log.slice(requestsBefore)).toEqual([])
  })
})

describe('a job that was cancelled before the kill', () => {
  it.each([
    ['GET', 'its inputs'],
    ['POST', 'its outputs'],
  ])('stays so, and nothing of it is sent any more (%s: %s)', async (method) => {
    const job = makeJob('remote_transfer', [SMALL, MEDIUM])
    galaxy.plan = (record) => (record.method === method ? { kind: 'hang', after: 0 } : undefined)
    await submit(job)
    await waitFor(
      () => galaxy.log.some((record) => record.method === method && record.path?.startsWith(job.base)),
      {
        what: method,
      },
    )
    await client.cancel(job.id)
    await server.kill9()
    galaxy.plan = () => undefined
    const { length } = galaxy.log
    await start(1)
    expect((await client.status(job.id)).status).toBe('cancelled')
    const other = makeJob('remote_transfer', [SMALL])
    await submit(other)
    await expectRight(other)
    expect(galaxy.log.slice(length).filter(({ path: asked }) => asked?.startsWith(`${job.base}/`))).toEqual(
      [],
    )
    expect((await client.status(job.id)).status).toBe('cancelled')
  })
})

function returnCodeOf(job: PulledJob): string | undefined {
  try {
    return readFileSync(jobFile(job, 'return_code'), 'utf8')
  } catch {
    return undefined
  }
}

describe('tus, killed', () => {
  const job = () => makeJob('remote_transfer_tus', [SMALL, MEDIUM])
  const isOfTus = ({ target }: RequestRecord): boolean => target.includes('resumable_upload')

  it('while an upload is begun', async () => {
    const one = job()
    const output = one.outputs[1]?.path
    galaxy.plan = (record) =>
      record.path === output && record.method === 'POST' && isOfTus(record)
        ? { kind: 'hang', after: -1 }
        : undefined
    await killOnce(
      one,
      onEvent('request', (record) => record.path === output && isOfTus(record)),
    )
    await expectRight(one)
  })

  it('while it asks how much of an upload has arrived', async () => {
    const one = job()
    const output = one.outputs[1]
    hangAt(output?.path ?? '', 'PATCH', 300_000)
    await killOnce(
      one,
      (kill) => {
        void waitFor(() => sum(requestsFor(output?.path ?? ''), 'receivedBytes') >= 300_000, {
          what: 'bytes of the output',
        }).then(kill)
      },
      () => hangAt(output?.path ?? '', 'HEAD', -1),
    )
    await waitFor(() => requestsFor(output?.path ?? '').some(({ method }) => method === 'HEAD'), {
      what: 'HEAD',
    })
    await server.kill9()
    galaxy.plan = () => undefined
    await start(1)
    await expectRight(one)
    const pieces = requestsFor(output?.path ?? '').filter(({ method }) => method === 'PATCH')
    expect(sum(pieces, 'receivedBytes')).toBe(output?.bytes)
  })
})

interface Death {
  readonly requestsBefore: number
  /** Sizes of what was left, by job. */
  readonly parts: ReadonlyMap<string, readonly number[]>
}

/** After each death a large file goes on from what was on disk of it; only a file that had not come so far begins anew. */
function expectResumed(gets: readonly RequestRecord[], deaths: readonly Death[], job: PulledJob): void {
  for (const { requestsBefore, parts } of deaths) {
    const next = gets.find((record) => record.serial >= requestsBefore)
    if (!next || next === gets[0]) continue
    const sizes = parts.get(job.id) ?? []
    const from = Number(/^bytes=(\d+)-$/.exec(next.range ?? '')?.[1] ?? 0)
    if (from > 0) expect(sizes).toContain(from + END_BYTES)
    else expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(3 * MIB)
  }
}

describe('a server that is killed again and again', () => {
  it.each([1, 2])('finishes all jobs with every byte right (seed %d)', {
    timeout: 120_000,
  }, async (seed) => {
    const random = createRandom(seed)
    const below = (end: number): number => Math.floor(random() * end)
    const perJob = 1 + below(4)
    await server.kill9()
    await start(perJob)
    const jobs = Array.from({ length: 4 }, (_, at) => {
      const action = HTTP_ACTIONS[at % 2] ?? 'remote_transfer'
      return makeJob(action, [below(3 * MIB), below(MIB), LARGE + below(MIB)], 'echo run >> runs')
    })
    // Slow enough to be caught in the middle of files.
    galaxy.plan = () => ({ kind: 'slow', bytesPerSecond: 8 * MIB })
    for (const job of jobs) await submit(job)
    const deaths: Death[] = []
    let kills = 0
    for (; kills < 8; kills++) {
      const bytesBefore = moved()
      const more = below(12 * MIB)
      await waitFor(() => moved() - bytesBefore > more || allDone(jobs), {
        what: 'next bytes',
        timeoutMs: 30_000,
      })
      if (allDone(jobs)) break
      await server.kill9()
      const parts = jobs.map((job) => [job.id, partSizes(job)] as const)
      deaths.push({ requestsBefore: galaxy.log.length, parts: new Map(parts) })
      await start(perJob)
    }
    galaxy.plan = () => undefined
    expect(kills).toBeGreaterThan(2)
    for (const job of jobs) await expectRight(job)
    const moving = perJob * kills
    for (const job of jobs) {
      expect(readFileSync(jobFile(job, 'working/runs'), 'utf8')).toBe('run\n')
      let repeated = 0
      for (const { path: output } of job.outputs) repeated += (galaxy.uploads.get(output)?.times ?? 0) - 1
      expect(repeated).toBeLessThanOrEqual(moving)
      for (const { path: input, content } of job.inputs) {
        const gets = requestsFor(input).filter(({ method }) => method === 'GET')
        expect(gets.length).toBeLessThanOrEqual(1 + 2 * kills)
        if (content.bytes >= 4 * MIB) expectResumed(gets, deaths, job)
      }
    }
  })

  const moved = (): number => sum(galaxy.log, 'sentBytes') + sum(galaxy.log, 'receivedBytes')
  const allDone = (jobs: readonly PulledJob[]): boolean =>
    jobs.every((job) => wrongOutputs(galaxy, job).length === 0)
})
