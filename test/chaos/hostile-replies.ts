import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { createPulsarClient, type PulsarClient, type StatusDocument } from '../helpers/pulsar-client.js'
import type { ServerProcess } from '../helpers/server-process.js'
import type { AppOptions } from '../peers/pulsar-config.js'
import { createRandom, type Random } from '../peers/random.js'
import type { ChaosResult } from './chaos-result.js'
import { FETCH_ATTACKS, POST_ATTACKS, TUS_ATTACKS } from './galaxy/attacks.js'
import {
  type Attack,
  type HostileFile,
  type HostileGalaxy,
  startHostileGalaxy,
} from './galaxy/hostile-galaxy.js'

/**
 * Jobs whose files a node fetches from and delivers to a Galaxy that answers with anything. Each ends: `complete` with the right
 * bytes delivered, or `failed` with a reason for people, and the node is as before.
 */

const RETRIES = { max_retries: 2, interval_start: 0.02, interval_step: 0, interval_max: 0.02 }
const retries = (prefix: string): AppOptions =>
  Object.fromEntries(Object.entries(RETRIES).map(([name, value]) => [`${prefix}_${name}`, value]))

/** Of the node that is meant. */
export const REPLIES_APP: AppOptions = {
  transfer_answer_timeout: 1,
  managers: {
    _default_: {
      type: 'queued_python',
      num_concurrent_jobs: 4,
      ...retries('preprocess_action'),
      ...retries('postprocess_action'),
    },
  },
}
/** Small pieces of resumable uploads, so that there are several. */
export const REPLIES_ENV = { PULSAR_TUS_CHUNK_SIZE: '60000' }

const AT_ONCE = 8
/** An upload whose offsets are lied about is sent 12 times, in small pieces: that alone takes many seconds on a busy machine. */
const JOB_MS = 60_000
const MAX_RSS_BYTES = 700 * 1024 ** 2
/** Connections of the client, files of the store, and what is idle for some seconds. */
const MORE_DESCRIPTORS = 40

export async function runHostileReplies(
  server: ServerProcess,
  seed: number,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<ChaosResult> {
  const random = createRandom(seed)
  const galaxy = await startHostileGalaxy(random)
  const client = createPulsarClient(server.url)
  const violations: string[] = []
  const counts: Record<string, number> = {
    jobs: 0,
    complete: 0,
    failed: 0,
    cancelled: 0,
    maxRssMiB: 0,
    longestMs: 0,
  }
  const more = (what: string): void => {
    counts[what] = (counts[what] ?? 0) + 1
  }
  const descriptors = countDescriptors(server.pid)
  const lateness = watchLateness()
  let jobs = 0
  const goOn = (): boolean => performance.now() < deadlineMs && !signal.aborted && violations.length === 0

  async function work(): Promise<void> {
    while (goOn()) {
      const id = `${++jobs}`
      const plan = makeJob(random, galaxy, id)
      more('jobs')
      const begunMs = performance.now()
      const wrong = await runJob(client, galaxy, plan, more, lateness).catch((error: unknown) =>
        String(error),
      )
      counts.longestMs = Math.max(counts.longestMs ?? 0, Math.round(performance.now() - begunMs))
      if (wrong !== undefined)
        violations.push(
          `seed ${seed}: job ${id} (${describe(plan)}): ${wrong}\n${server.logs().slice(-1500)}`,
        )
      const rss = rssOf(server.pid)
      if (rss === undefined)
        violations.push(`seed ${seed}: the server is gone\n${server.logs().slice(-3000)}`)
      else if (rss > MAX_RSS_BYTES) violations.push(`seed ${seed}: the server has ${rss} bytes`)
      counts.maxRssMiB = Math.max(counts.maxRssMiB ?? 0, Math.round((rss ?? 0) / 1024 ** 2))
      violations.push(...galaxy.violations.splice(0).map((what) => `seed ${seed}: ${what}`))
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    const left = await untilFew(server.pid, descriptors + MORE_DESCRIPTORS)
    if (left !== undefined) violations.push(`seed ${seed}: ${left} descriptors, and ${descriptors} before`)
    lateness.stop()
    const words = /unexpectedly|TypeError|RangeError|URIError|ERR_[A-Z_]+|at file:/
    const unexpected = server
      .logs()
      .split('\n')
      .find((line) => words.test(line))
    if (unexpected) violations.push(`seed ${seed}: the log says ${unexpected.slice(0, 2000)}`)
    if (server.logs().includes(galaxy.key)) violations.push(`seed ${seed}: the log has the job's key`)
  } finally {
    lateness.stop()
    await galaxy.close()
  }
  counts.galaxyLateMs = Math.round(lateness.mostMs())
  for (const [name, times] of Object.entries(galaxy.played)) counts[`"${name}"`] = times
  return { counts, violations }
}

interface HostileJob {
  readonly id: string
  readonly input: HostileFile
  readonly output: HostileFile
  readonly remoteStaging: unknown
  readonly names: { readonly input: readonly string[]; readonly output: readonly string[] }
}

function describe({ names }: HostileJob): string {
  return `in: ${names.input.join(', ')}; out: ${names.output.join(', ')}`
}

function makeJob(random: Random, galaxy: HostileGalaxy, id: string): HostileJob {
  const action = random.pick(['remote_transfer', 'remote_transfer_tus'] as const)
  const sizes = [1, 1000, 70_000, 1_500_000] as const
  const content = Buffer.from(randomBytes(random.pick(sizes) + random.below(100)))
  const makeFile = (attacks: readonly Attack[], most: number): HostileFile => ({
    content,
    attacks: random.some(attacks, most),
    forEver: random.chance(0.15),
    stored: undefined,
    asked: 0,
  })
  // What fails on the way in never gets to the way out.
  const isIn = random.chance(0.5)
  const input = makeFile(FETCH_ATTACKS, isIn ? 3 : 0)
  const onWayOut =
    action === 'remote_transfer' ? POST_ATTACKS : random.chance(0.7) ? TUS_ATTACKS : POST_ATTACKS
  const output = makeFile(onWayOut, isIn ? 1 : 3)
  const inputPath = `/galaxy/${id}/in.dat`
  const outputPath = `/galaxy/${id}/out.dat`
  galaxy.files.set(inputPath, input)
  galaxy.files.set(outputPath, output)
  const url = (path: string): string => `${galaxy.endpoint}&path=${encodeURIComponent(path)}&file_type=input`
  return {
    id,
    input,
    output,
    names: { input: input.attacks.map(({ name }) => name), output: output.attacks.map(({ name }) => name) },
    remoteStaging: {
      setup: [
        {
          name: 'in.dat',
          type: 'input',
          action: { path: inputPath, source: { path: inputPath }, action_type: action, url: url(inputPath) },
        },
      ],
      action_mapper: { default_action: action, files_endpoint: galaxy.endpoint, paths: [] },
      client_outputs: {
        working_directory: `/galaxy/${id}/working`,
        metadata_directory: null,
        job_directory: null,
        work_dir_outputs: [],
        output_files: [outputPath],
        version_file: null,
        dynamic_outputs: null,
        dynamic_file_sources: null,
        dataset_collector_descriptions: [],
      },
    },
  }
}

/** What is wrong with how it ended; undefined: nothing. */
async function runJob(
  client: PulsarClient,
  galaxy: HostileGalaxy,
  { id, input, output, remoteStaging, names }: HostileJob,
  more: (what: string) => void,
  lateness: Lateness,
): Promise<string | undefined> {
  const begunMs = performance.now()
  const mayLie =
    [...input.attacks, ...output.attacks].some(({ lies }) => lies) ||
    output.attacks.some(({ settles }) => settles)
  let cancelled = false
  const cancel = (): void => {
    cancelled = true
    void client.cancel(id).catch(() => {})
  }
  input.onEndless = cancel
  output.onEndless = cancel
  await client.setup(id)
  await client.submit(id, 'cat ../inputs/in.dat > ../outputs/out.dat', remoteStaging)
  const end = await untilEnded(client, id)
  if (!end) return `no end within ${JOB_MS} ms`
  more(end.status)
  await client.clean(id)
  galaxy.files.delete(`/galaxy/${id}/in.dat`)
  galaxy.files.delete(`/galaxy/${id}/out.dat`)
  if (end.status === 'cancelled') return cancelled ? undefined : 'cancelled by nobody'
  const { status } = end
  if (status === 'complete') {
    if (mayLie) return undefined
    if (!output.stored) return 'complete, and its output is not at Galaxy'
    return output.stored.equals(output.content)
      ? undefined
      : `complete with other bytes: ${JSON.stringify(output.stored.toString('latin1', 0, 60))} of ${output.stored.length}`
  }
  if (status !== 'failed') return `it ended as ${status}`
  if (names.input.length + names.output.length === 0) {
    const reason = String(end.stderr)
    const hadMs = Math.round(answeredForMs(reason.includes('in.dat') ? input : output, begunMs, lateness))
    if (hadMs > LISTENED_MS || !/in time/.test(reason))
      return `failed without a cause (Galaxy had answered, or listened, for ${hadMs} ms): ${reason}`
    more('failed as the machine was slow')
  }
  return reasonProblem(String(end.stderr ?? ''), galaxy.key)
}

/**
 * A node that says it had no answer in time gave up then. For so long before that the last answer was on its connection, or Galaxy
 * could have taken a request that it never saw, without the time in which Galaxy did not come to look.
 */
function answeredForMs({ lastAnswer }: HostileFile, begunMs: number, lateness: Lateness): number {
  const now = performance.now()
  const from = lastAnswer?.atMs ?? begunMs
  const until = lastAnswer?.overMs ?? now
  return until - from - lateness.sumMs(from, until)
}

/** How late Galaxy was, which lives in this process: on a busy machine it may not answer in time without meaning to. */
interface Lateness {
  mostMs(): number
  /** All of it in a time. */
  sumMs(fromMs: number, untilMs: number): number
  stop(): void
}

/** Half of the time that an answer may take. */
const LISTENED_MS = 500
const LOOK_MS = 50

function watchLateness(): Lateness {
  let last = performance.now()
  let notes: { atMs: number; lateMs: number }[] = []
  let most = 0
  const look = (): void => {
    const now = performance.now()
    const lateMs = now - last - LOOK_MS
    last = now
    most = Math.max(most, lateMs)
    notes.push({ atMs: now, lateMs })
    if (notes.length > 2000) notes = notes.slice(-1000)
  }
  const timer = setInterval(look, LOOK_MS)
  return {
    mostMs: () => most,
    sumMs(fromMs, untilMs) {
      const within = notes.filter(({ atMs, lateMs }) => atMs >= fromMs && atMs - lateMs <= untilMs)
      const ofNow = Math.max(0, performance.now() - last - LOOK_MS)
      return ofNow + within.reduce((sum, { lateMs }) => sum + Math.max(0, lateMs), 0)
    },
    stop: () => clearInterval(timer),
  }
}

/** What an admin must not have to read. */
function reasonProblem(reason: string, key: string): string | undefined {
  const shown = JSON.stringify(reason.slice(0, 1500))
  if (!/in\.dat|out\.dat/.test(reason)) return `the reason does not say which file: ${shown}`
  if (reason.length > 2000) return `the reason has ${reason.length} characters: ${shown}`
  if (reason.includes(key)) return `the reason has the job's key: ${shown}`
  if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(reason))
    return `the reason has control characters: ${shown}`
  if (/\n\s+at |undefined|NaN|TypeError|RangeError|URI malformed|\[object|unexpectedly/.test(reason))
    return `the reason is not for people: ${shown}`
  return undefined
}

async function untilEnded(client: PulsarClient, id: string): Promise<StatusDocument | undefined> {
  const deadlineMs = performance.now() + JOB_MS
  while (performance.now() < deadlineMs) {
    const found = await client.status(id)
    if (found.complete === 'true') return found
    await delay(20)
  }
  return undefined
}

function rssOf(pid: number): number | undefined {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return undefined
  }
}

function countDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** How many there are when they do not become so few in time. */
async function untilFew(pid: number, most: number): Promise<number | undefined> {
  for (let tries = 0; tries < 300; tries++) {
    if (countDescriptors(pid) <= most) return undefined
    await delay(100)
  }
  return countDescriptors(pid)
}
