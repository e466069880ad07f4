import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startJobFilesServer } from '../../helpers/job-files-server.js'
import { createRandom } from '../../peers/random.js'
import { createChaosNode, type ServerProgram } from '../chaos-node.js'
import {
  compileFaults,
  createFaultLayer,
  type Effect,
  type Fault,
  missingCompiler,
  OPERATIONS,
  type Operation,
} from '../faults/faults.js'
import { auditNode, judgeEnding, judgeLife } from '../judge.js'
import { jobFiles, leftovers } from '../leftovers.js'
import { LIFE_NAMES, type Life, type LifeName, live, newLife, takeAway, type World } from '../lives.js'
import { magnetarProgram, QUICK_RETRIES } from '../programs.js'
import {
  type ChaosCounts,
  type ChaosKind,
  type ChaosResult,
  type ChaosRun,
  isOver,
  noCounts,
  type Violation,
} from './kind.js'

/** Where a fault is put: into the life of one job, or into the start of a server that has jobs to take up. */
type Stage = LifeName | 'start'

export interface Point {
  readonly stage: Stage
  readonly operation: Operation
  readonly at: number
  readonly effect: Effect
}

export const ERRORS: Readonly<Record<Operation, readonly Effect[]>> = {
  open: ['EMFILE', 'EMFILE often', 'EIO'],
  create: ['ENOSPC', 'ENOSPC often', 'EMFILE', 'EIO'],
  write: ['ENOSPC', 'ENOSPC often', 'EIO', 'short', 'delay'],
  sync: ['EIO', 'ENOSPC', 'delay'],
  rename: ['EIO', 'ENOSPC', 'delay'],
  unlink: ['EIO'],
  mkdir: ['ENOSPC', 'EIO'],
  rmdir: ['EIO'],
  link: ['EIO'],
  symlink: ['ENOSPC'],
  truncate: ['EIO'],
  fork: ['EAGAIN'],
}
export const KILLS: readonly Effect[] = ['kill before', 'kill after']
/** Between two looks at what was left behind. */
const POINTS_PER_CHECK = 12
/** Calls beyond those that were counted: not every run makes the same. */
const MORE = 1

export const faultKind = faultsOf(
  'faults',
  'one call of the server fails, writes less or takes long',
  (operation) => ERRORS[operation],
)
export const killKind = faultsOf('kills', 'kill -9 of the server just before or after a call', (operation) =>
  operation === 'open' ? [] : KILLS,
)

function faultsOf(
  name: string,
  about: string,
  effects: (operation: Operation) => readonly Effect[],
): ChaosKind {
  return {
    name,
    about,
    missing: missingCompiler,
    run: (options) => runFaults(options, effects, magnetarProgram),
  }
}

export function pointName({ stage, operation, at, effect }: Point): string {
  return `${stage}/${operation}/${at}/${effect.replace(' ', '-')}`
}

/** Points are tried in an order that the seed decides, until each was tried. */
export async function runFaults(
  options: ChaosRun,
  effects: (operation: Operation) => readonly Effect[],
  program: ServerProgram,
  stages: readonly Stage[] = [...LIFE_NAMES, 'start'],
): Promise<ChaosResult> {
  const counts = noCounts()
  const violations: Violation[] = []
  const tallies: Record<string, number> = {}
  const compiled = compileFaults(options.directory)
  if (compiled.missing !== undefined) return { counts, violations, tallies: { skipped: 1 } }
  const directory = path.join(options.directory, 'node')
  const beside = path.join(options.directory, 'faults')
  mkdirSync(directory)
  mkdirSync(beside)
  const galaxy = await startJobFilesServer()
  const layer = createFaultLayer(compiled.library, beside, directory)
  const node = await createChaosNode(program, directory, layer, QUICK_RETRIES)
  const world: World = {
    node,
    galaxy,
    runsDirectory: path.join(options.directory, 'runs'),
    audited: new Set(),
  }
  const runner = { world, counts, violations, tallies, serial: 0 }
  try {
    await node.ensureUp()
    const points = await listPoints(runner, effects, stages)
    const wanted =
      options.point === undefined
        ? shuffled(points, options.seed)
        : points.filter((each) => pointName(each) === options.point)
    if (wanted.length === 0) throw new Error(`there is no point ${options.point}`)
    options.note(`${points.length} points`)
    let before = jobFiles(directory)
    let last = 'none'
    for (const [done, point] of wanted.entries()) {
      if (isOver(options, done)) break
      last = pointName(point)
      await tryPoint(runner, point)
      tally(tallies, 'points tried')
      if (done % POINTS_PER_CHECK !== POINTS_PER_CHECK - 1 && done !== wanted.length - 1) continue
      await node.restart()
      const left = await leftovers(directory, before)
      if (left.length > 0) {
        violations.push({
          point: `one of the ${POINTS_PER_CHECK} up to ${last}`,
          what: `left behind: ${left.slice(0, 5).join(', ')}`,
        })
        before = jobFiles(directory)
      }
    }
    tallies.points = points.length
  } catch (error) {
    violations.push({
      point: 'none',
      what: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  } finally {
    await node.close()
    await galaxy.close()
    counts.restarts += Math.max(0, node.starts - 1)
  }
  return { counts, violations, tallies }
}

interface Runner {
  readonly world: World
  readonly counts: ChaosCounts
  readonly violations: Violation[]
  readonly tallies: Record<string, number>
  serial: number
}

/** Drives each life once without faults and counts its calls. */
async function listPoints(
  runner: Runner,
  effects: (operation: Operation) => readonly Effect[],
  stages: readonly Stage[],
): Promise<Point[]> {
  const { node } = runner.world
  const points: Point[] = []
  for (const stage of stages) {
    let counted: Record<Operation, number>
    if (stage === 'start') {
      await withOpenJobs(runner, async () => {
        await node.kill()
        await node.ensureUp({ operations: OPERATIONS, at: 0, effect: 'delay' })
      })
      await delay(300)
      counted = node.layer.disarm().counts
      counted.fork = 0
    } else {
      node.layer.count()
      const life = await liveOnce(runner, stage)
      counted = node.layer.disarm().counts
      const wrong = judgeLife(runner.world, life, { effect: 'delay' })
      wrong.push(...(await auditNode(runner.world)))
      if (wrong.length > 0) throw new Error(`without any fault: ${wrong.join('; ')}`)
    }
    for (const operation of OPERATIONS) {
      const most = counted[operation] === 0 ? 0 : counted[operation] + MORE
      for (const effect of effects(operation))
        for (let at = 1; at <= most; at++) points.push({ stage, operation, at, effect })
    }
  }
  return points
}

async function liveOnce(runner: Runner, name: LifeName): Promise<Life> {
  const life = newLife(runner.world, name, `${name}-${runner.serial++}`)
  runner.counts.jobs += 1
  await live(runner.world, life)
  await takeAway(life)
  return life
}

/** While `action` runs, a job that waits and one that runs are there; afterwards they are brought to their ends. */
async function withOpenJobs(runner: Runner, action: () => Promise<void>): Promise<Life[]> {
  const world = { ...runner.world, toolMs: 400 }
  const lives = (['push', 'pull'] as const).map((name) => newLife(world, name, `${name}-${runner.serial++}`))
  runner.counts.jobs += lives.length
  const living = Promise.all(lives.map((life) => live(world, life)))
  while (lives.some((life) => !life.acked.has('submit') && life.violations.length === 0)) await delay(5)
  await action()
  await living
  await Promise.all(lives.map((life) => takeAway(life)))
  return lives
}

async function tryPoint(runner: Runner, point: Point): Promise<void> {
  const { node } = runner.world
  const { layer } = node
  const isKill = KILLS.includes(point.effect)
  const deaths = node.endings.length
  const fault: Fault = { operations: [point.operation], at: point.at, effect: point.effect }
  let lives: Life[]
  if (point.stage === 'start') {
    lives = await withOpenJobs(runner, async () => {
      await node.kill()
      await node.ensureUp(fault)
    })
  } else {
    layer.arm(fault)
    lives = [await liveOnce(runner, point.stage)]
  }
  // A server that was killed was started again with nothing armed, and what was met is forgotten.
  const died = node.endings.slice(deaths)
  const { met } = layer.disarm()
  const wasMet = met > 0 || died.length > 0
  if (wasMet) {
    if (isKill) runner.counts.kills += 1
    else runner.counts.faults += 1
    tally(runner.tallies, `met ${point.effect}`)
  } else tally(runner.tallies, 'points not met')
  const found = lives.flatMap((life) => judgeLife(runner.world, life, { effect: point.effect }))
  for (const ending of died) {
    if (isKill && ending.signal === 'SIGKILL') continue
    const wrong = judgeEnding(ending, point.stage === 'start')
    if (wrong) found.push(wrong)
  }
  for (const life of lives) {
    for (const { status } of life.client.errors) tally(runner.tallies, `answers ${status} to ${point.effect}`)
    if (life.end) tally(runner.tallies, `jobs ${life.end.status}`)
  }
  found.push(...(await auditNode(runner.world)))
  for (const what of found) runner.violations.push({ point: pointName(point), what })
}

export function tally(tallies: Record<string, number>, what: string, times = 1): void {
  tallies[what] = (tallies[what] ?? 0) + times
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = createRandom(seed)
  const mixed = [...items]
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = random.below(at + 1)
    const [a, b] = [mixed[at], mixed[other]]
    if (a === undefined || b === undefined) continue
    mixed[at] = b
    mixed[other] = a
  }
  return mixed
}
