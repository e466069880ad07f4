import { chmodSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startJobFilesServer } from '../../helpers/job-files-server.js'
import { findSlurm } from '../../peers/find-slurm.js'
import { startPrivateSlurm } from '../../peers/private-slurm.js'
import { createRandom } from '../../peers/random.js'
import { type ChaosNode, createChaosNode, type ServerProgram } from '../chaos-node.js'
import { auditNode, judgeEnding } from '../judge.js'
import { type Life, type LifeName, lastWords, live, newLife, runsOf, takeAway, type World } from '../lives.js'
import { noFaults } from '../no-faults.js'
import { magnetarProgram, QUICK_RETRIES } from '../programs.js'
import { cancelledItself, heal, logSizes, type Schedule, TROUBLES } from '../slurm-troubles.js'
import { mountSmallDisk, type SmallDisk } from '../small-disk.js'
import { tally } from './faults.js'
import { type ChaosKind, type ChaosResult, type ChaosRun, isOver, noCounts, type Violation } from './kind.js'

const JOBS = 20
const TROUBLES_PER_ROUND = 6
const MOST_TOOL_MS = 3000
const DISK_MEGABYTES = 8
/** Seconds: Slurm looks every so often, and no sooner. */
const MIN_JOB_AGE = 2
const PATIENCE_MS = 150_000
const HELD_LIMIT_MS = PATIENCE_MS

export const slurmKind: ChaosKind = {
  name: 'slurm',
  about: 'daemons of Slurm, munge, its disks, partitions and jobs are taken away, held, ended and given back',
  missing: () => findSlurm().missing,
  run: (options) => runSlurm(options),
}

export interface SlurmRound {
  readonly jobs?: number
  readonly troubles?: number
  /** Default: Magnetar. */
  readonly program?: ServerProgram
  readonly manager?: Readonly<Record<string, unknown>>
  /** What jobs may go through, each as often as its share of all jobs. */
  readonly lives?: readonly LifeName[]
}

const LIVES = ['push', 'push', 'push', 'pull', 'cancel'] as const
const MANAGER = { type: 'slurm', return_code_wait: 2 }

/** Rounds on one cluster; each has its own seed: seed and serial number. */
export async function runSlurm(options: ChaosRun, round: SlurmRound = {}): Promise<ChaosResult> {
  const counts = noCounts()
  const violations: Violation[] = []
  const tallies: Record<string, number> = {}
  const clusterDirectory = path.join(options.directory, 'c')
  chmodSync(options.directory, 0o755)
  mkdirSync(clusterDirectory, { recursive: true })
  const disks = ['spool', 'state'].map((name) =>
    mountSmallDisk(path.join(clusterDirectory, name), DISK_MEGABYTES),
  )
  const galaxy = await startJobFilesServer()
  const cluster = await startPrivateSlurm(clusterDirectory, undefined, {
    minJobAge: MIN_JOB_AGE,
    // Every other seed: a site that keeps no account of jobs that are over.
    keepsLog: options.seed % 2 === 0,
  }).catch((error: unknown) => {
    unmount(disks)
    throw error
  })
  const directory = path.join(options.directory, 'node')
  mkdirSync(directory)
  const app = { ...QUICK_RETRIES, managers: { _default_: round.manager ?? MANAGER } }
  const { program: server = magnetarProgram } = round
  const program = { ...server, env: { ...server.env, ...cluster.env } }
  const node = await createChaosNode(program, directory, noFaults(directory), app)
  const world: World = {
    node,
    galaxy,
    runsDirectory: path.join(options.directory, 'runs'),
    audited: new Set(),
  }
  const only = options.point === undefined ? undefined : Number(options.point)
  let first = only ?? 0
  try {
    for (let serial = first; !isOver(options, serial - first); serial++) {
      if (only !== undefined && serial !== only) break
      const smallDisks = disks.every((disk) => disk !== undefined)
      const base = { cluster, directory: clusterDirectory, node, smallDisks }
      const found = await oneRound(world, base, options, serial, round, counts, tallies)
      for (const what of found) violations.push({ point: String(serial), what })
    }
  } catch (error) {
    first = -1
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
    violations.push({ point: 'none', what })
  } finally {
    await node.close()
    await cluster.stop()
    await galaxy.close()
    unmount(disks)
    counts.restarts += Math.max(0, node.starts - 1)
  }
  for (const ending of node.endings) {
    const wrong = judgeEnding(ending, false)
    if (wrong) violations.push({ point: 'none', what: wrong })
  }
  return { counts, violations, tallies }
}

function unmount(disks: readonly (SmallDisk | undefined)[]): void {
  for (const disk of disks) disk?.unmount()
}

type Base = Pick<Schedule, 'cluster' | 'directory' | 'node' | 'smallDisks'>

async function oneRound(
  world: World,
  base: Base,
  options: ChaosRun,
  serial: number,
  { jobs = JOBS, troubles = TROUBLES_PER_ROUND, lives: kinds = LIVES }: SlurmRound,
  counts: ChaosResult['counts'],
  tallies: Record<string, number>,
): Promise<string[]> {
  const random = createRandom(options.seed * 100_003 + serial)
  const schedule: Schedule = {
    ...base,
    random,
    cancelled: new Set(),
    requeued: new Map(),
    reasons: new Set(),
    forgets: false,
    spoolWasFull: false,
    logs: logSizes(base),
    closed: undefined,
    wait: (ms) => delay(ms, undefined, { signal: options.signal }),
  }
  const gated = gate(world.node, schedule)
  await gated.ensureUp()
  const lives = Array.from({ length: jobs }, (_, at) => {
    const name = random.pick(kinds)
    const toolMs = random.below(MOST_TOOL_MS)
    const own: World = { ...world, node: gated, toolMs, patienceMs: PATIENCE_MS }
    return { life: newLife(own, name, `slurm-${serial}-${at}-${name}`), own, afterMs: random.below(8000) }
  })
  counts.jobs += jobs
  const living = Promise.all(
    lives.map(async ({ life, own, afterMs }) => {
      await delay(afterMs)
      await live(own, life)
    }),
  )
  const names: string[] = []
  for (let at = 0; at < troubles; at++) {
    await schedule.wait(200 + random.below(1200))
    const trouble = random.pick(TROUBLES)
    names.push(trouble.name)
    tally(tallies, trouble.name)
    if (trouble.name.startsWith('server')) counts.kills += trouble.name === 'server restarted' ? 0 : 1
    else counts.faults += 1
    await trouble.run(schedule)
  }
  const found: string[] = []
  await heal(schedule)
  // What a controller that was killed had not saved may be held again.
  const healing = new AbortController()
  const again = (async () => {
    for (const end = Date.now() + HELD_LIMIT_MS; Date.now() < end && !healing.signal.aborted; ) {
      await delay(3000, undefined, { signal: healing.signal }).catch(() => {})
      if (!healing.signal.aborted) await heal(schedule)
    }
  })()
  await living
  healing.abort()
  await again
  const wrong = await auditNode(world)
  for (const { life } of lives) {
    await takeAway(life)
    found.push(...judgeSlurmLife(world, schedule, life).map((what) => `${life.id}: ${what}`))
    tally(tallies, `jobs ${life.end?.status ?? 'without an end'}`)
  }
  found.push(...wrong, ...(await auditNode(world)))
  for (const { life } of lives) {
    if (life.end?.status === 'failed' || life.end?.status === 'lost')
      options.note(`round ${serial}: ${life.id} ${life.end.status}: ${String(life.end.stderr).trim()}`)
  }
  return [...new Set(found)].map((what) => `${what} (after ${names.join(', ')})`)
}

/** Clients find nobody while the server is to stay away. */
function gate(node: ChaosNode, schedule: Schedule): ChaosNode {
  const gated = Object.create(node) as ChaosNode & { ensureUp: ChaosNode['ensureUp'] }
  gated.ensureUp = async () => {
    while (schedule.closed) await schedule.closed
    await node.ensureUp()
  }
  return gated
}

/** What of a job's end is not as it happened. */
function judgeSlurmLife(world: World, schedule: Schedule, life: Life): string[] {
  const { id, end, client, name } = life
  const found = [...life.violations]
  const runs = runsOf(world, id)
  const most = 1 + (schedule.requeued.get(id) ?? 0)
  if (runs > most) found.push(`ran ${runs} times`)
  for (const { call, status, text } of client.errors) found.push(`${call}: ${status} ${text}`)
  if (!end) return found
  const { status, returncode } = end
  const why = String(end.stderr)
  if (status === 'complete') {
    if (runs === 0) found.push('complete, and did not run')
    if (returncode !== 0)
      found.push(
        `complete with return code ${returncode}, ran ${runs} times, requeued ${schedule.requeued.get(id) ?? 0} times: ${why} ${end.job_stderr}; ${lastWords(world, life)}`,
      )
  } else if (status === 'failed') {
    const { copy, waiting } = cancelledItself(schedule, schedule.logs)
    const isTrue =
      (schedule.forgets && (copy || (waiting && runs === 0)) && /CANCELLED.*came back/.test(why)) ||
      (schedule.cancelled.has(id) && /CANCELLED/.test(why)) ||
      (schedule.spoolWasFull && runs === 0 && /CANCELLED.*full spool/.test(why)) ||
      [...schedule.reasons].some((reason) => reason.test(why))
    if (!isTrue) found.push(`failed for a reason that is not true: ${why}`)
  } else if (status === 'lost') {
    const mayBe = schedule.forgets || schedule.cancelled.has(id) || schedule.reasons.size > 0
    if (!mayBe || schedule.requeued.has(id)) found.push(`lost: ${why}`)
  } else if (status !== 'cancelled' || name !== 'cancel') found.push(`ended as ${status}`)
  return found
}
