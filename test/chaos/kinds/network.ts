import { mkdirSync, readdirSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { hasEnvironment, readProcesses } from '../../../src/schedulers/process-table.js'
import { type JobFilesServer, startJobFilesServer } from '../../helpers/job-files-server.js'
import { createRandom, type Random } from '../../peers/random.js'
import { type BadNetwork, NETWORK_FAULTS, type NetworkFault, startBadNetwork } from '../bad-network.js'
import { type ChaosNode, createChaosNode, type ServerProgram } from '../chaos-node.js'
import { auditNode, judgeEnding, judgeLife } from '../judge.js'
import { LIFE_NAMES, type Life, type LifeName, live, newLife, takeAway, type World } from '../lives.js'
import { noFaults } from '../no-faults.js'
import { magnetarProgram, QUICK_RETRIES } from '../programs.js'
import { tally } from './faults.js'
import { type ChaosKind, type ChaosResult, type ChaosRun, isOver, noCounts, type Violation } from './kind.js'

const JOBS = 9
const FAULTY_PART = 0.8
const PATIENCE_MS = 120_000
/** Of the node's descriptors when it rests: connections that it keeps for the next request. */
const SLACK = 20
/** Longer than any connection may lie still (http/server.ts: 65 s). */
const STILL_LIMIT_MS = 80_000
/** Bytes after which a connection breaks, below these: an answer is some hundred, the largest file 300,000. */
const AFTER = [1, 500, 3_000, 10_000, 300_000]
const LOST_SUBMITS = 0.4

export const networkKind: ChaosKind = {
  name: 'network',
  about: 'connections between client, server and Galaxy are reset, cut, stalled, refused, left half-open',
  missing: () => undefined,
  run: (options) => runNetwork(options),
}

export interface NetworkRun {
  /** Waits at the end until the server itself has let go of what nobody told it about. */
  readonly waitsForServer?: boolean
  /** Default: Magnetar. */
  readonly program?: ServerProgram
  /** What jobs may go through. */
  readonly lives?: readonly LifeName[]
}

/** Each as often as its share of all jobs. */
const LIVES = ['push', 'push', 'pull', 'pull', 'cancel'] as const

/** Rounds on one node; each has its own seed: seed and serial number. */
export async function runNetwork(
  options: ChaosRun,
  { waitsForServer = true, program = magnetarProgram, lives = LIVES }: NetworkRun = {},
): Promise<ChaosResult> {
  const counts = noCounts()
  const violations: Violation[] = []
  const tallies: Record<string, number> = {}
  const directory = path.join(options.directory, 'node')
  mkdirSync(directory)
  const galaxy = await startJobFilesServer()
  const app = {
    managers: { _default_: endless() },
    // A Galaxy that takes a request and says nothing is given up soon.
    transfer_answer_timeout: 2,
  }
  const node = await createChaosNode(program, directory, noFaults(directory), app)
  const toNode = await startBadNetwork(Number(new URL(node.url).port))
  const toGalaxy = await startBadNetwork(Number(new URL(galaxy.origin).port))
  const world: World = {
    node: through(node, toNode),
    galaxy: galaxyThrough(galaxy, toGalaxy),
    runsDirectory: path.join(options.directory, 'runs'),
    patienceMs: PATIENCE_MS,
    audited: new Set(),
  }
  const round = { world, networks: [toNode, toGalaxy], lives, counts, tallies }
  const only = options.point === undefined ? undefined : Number(options.point)
  let at = 'none'
  try {
    await node.ensureUp()
    await quiet(round, 'warm')
    toNode.drop()
    let most = await settled(node, Number.POSITIVE_INFINITY, 2_000)
    for (let serial = only ?? 0; !isOver(options, serial - (only ?? 0)); serial++) {
      if (only !== undefined && serial !== only) break
      at = String(serial)
      const random = createRandom(options.seed * 100_003 + serial)
      const starts = node.starts
      for (const what of await oneRound(round, serial, random))
        violations.push({ point: String(serial), what })
      if (node.starts !== starts) most = Math.max(most, await settled(node, most + SLACK, 3_000))
    }
    if (!waitsForServer) for (const network of round.networks) network.drop()
    const left = await settled(node, most + SLACK, waitsForServer ? STILL_LIMIT_MS : 10_000)
    tallies['descriptors of the node before'] = most
    tallies['descriptors of the node after'] = left
    if (left > most + SLACK)
      violations.push({ point: at, what: `${left} descriptors are open, ${most} were: ${openOnes(node)}` })
  } catch (error) {
    violations.push({
      point: at,
      what: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  } finally {
    await Promise.all(round.networks.map((network) => network.close()))
    await node.close()
    await galaxy.close()
  }
  counts.restarts = node.starts - 1
  for (const network of round.networks) {
    for (const [kind, count] of Object.entries(network.met)) {
      counts.faults += count
      tallies[kind] = (tallies[kind] ?? 0) + count
    }
  }
  for (const ending of node.endings) {
    const wrong = judgeEnding(ending, false)
    if (wrong) violations.push({ point: at, what: wrong })
  }
  return { counts, violations, tallies }
}

/** Transfers are tried again at once, and never given up: no count of hiccups fails a job. */
function endless(): Record<string, unknown> {
  const { _default_: manager } = QUICK_RETRIES.managers as { _default_: Record<string, unknown> }
  return { ...manager, preprocess_action_max_retries: 100_000, postprocess_action_max_retries: 100_000 }
}

interface Round {
  readonly world: World
  readonly networks: readonly BadNetwork[]
  readonly lives: readonly LifeName[]
  readonly counts: ChaosResult['counts']
  readonly tallies: Record<string, number>
}

/** Each life once without any fault. */
async function quiet({ world, lives, counts }: Round, prefix: string): Promise<void> {
  for (const name of LIFE_NAMES.filter((each) => lives.includes(each))) {
    const life = newLife(world, name, `${prefix}-${name}`)
    counts.jobs += 1
    await live(world, life)
    await takeAway(life)
    const wrong = judgeLife(world, life, { effect: 'delay' })
    if (wrong.length > 0) throw new Error(`without any fault: ${wrong.join('; ')}`)
  }
}

async function oneRound(round: Round, serial: number, random: Random): Promise<string[]> {
  const { world, networks, counts, tallies } = round
  for (const network of networks)
    network.plan = () => (random.chance(FAULTY_PART) ? faultOf(random) : undefined)
  const toNode = networks[0]
  if (toNode) toNode.losesAnswer = (head) => /^POST \S+\/submit/.test(head) && random.chance(LOST_SUBMITS)
  const lives: Life[] = []
  for (let at = 0; at < JOBS; at++) {
    const name = random.pick(round.lives)
    lives.push(newLife(world, name, `net-${serial}-${at}`))
  }
  counts.jobs += lives.length
  const living = Promise.all(
    lives.map(async (life) => {
      await delay(random.below(1500))
      await live(world, life)
      await takeAway(life)
    }),
  )
  await delay(300 + random.below(1000))
  await random.pick(networks).refuse(200 + random.below(800))
  if (random.chance(0.25)) {
    await world.node.kill()
    counts.kills += 1
  }
  await living
  for (const network of networks) {
    network.plan = () => undefined
    network.losesAnswer = () => false
  }
  const found: string[] = []
  for (const life of lives) {
    found.push(...judgeLife(world, life, { effect: 'delay' }).map((what) => `${life.name}: ${what}`))
    for (const call of life.client.unanswered)
      if (call === 'POST jobs/{id}/submit') tally(tallies, 'submits asked again')
    tally(tallies, 'calls asked again', life.client.unanswered.length)
    if (life.end) tally(tallies, `jobs ${life.end.status}`)
  }
  found.push(...(await auditNode(world)))
  return [...new Set(found)]
}

function faultOf(random: Random): NetworkFault {
  const kind = random.pick(NETWORK_FAULTS)
  const ms = kind === 'latency' ? 5 + random.below(60) : 100 + random.below(2000)
  return {
    kind,
    direction: random.pick(['up', 'down'] as const),
    after: random.below(random.pick(AFTER)),
    ms,
  }
}

/** The node as a client sees it that comes through the network. */
function through(node: ChaosNode, network: BadNetwork): ChaosNode {
  return Object.create(node, { url: { value: `${network.origin}/` } }) as ChaosNode
}

/** Galaxy with the addresses that the node is told. */
function galaxyThrough(galaxy: JobFilesServer, network: BadNetwork): JobFilesServer {
  const other = (url: string): string => url.replace(galaxy.origin, network.origin)
  return {
    ...galaxy,
    origin: network.origin,
    endpoint: other(galaxy.endpoint),
    fileUrl: (file, type) => other(galaxy.fileUrl(file, type)),
  }
}

/** Descriptors of the server and of what it has started, as soon as there are no more than `most`, or when the time is over. */
async function settled(node: ChaosNode, most: number, patienceMs: number): Promise<number> {
  if (most === Number.POSITIVE_INFINITY) await delay(patienceMs)
  for (const deadline = performance.now() + patienceMs; ; ) {
    const count = descriptors(node).length
    if (count <= most || performance.now() > deadline) return count
    await delay(250)
  }
}

function descriptors(node: ChaosNode): string[] {
  const mark = `MAGNETAR_FAULTS=${node.layer.env.MAGNETAR_FAULTS}`
  return readProcesses()
    .filter(({ pid }) => pid !== process.pid && hasEnvironment(pid, mark))
    .flatMap(({ pid }) => {
      try {
        return readdirSync(`/proc/${pid}/fd`).map((fd) => {
          try {
            return readlinkSync(`/proc/${pid}/fd/${fd}`)
          } catch {
            return 'gone'
          }
        })
      } catch {
        return []
      }
    })
}

function openOnes(node: ChaosNode): string {
  const kinds: Record<string, number> = {}
  for (const each of descriptors(node)) {
    const kind = each.startsWith('socket') ? 'sockets' : each.startsWith('/') ? path.basename(each) : each
    kinds[kind] = (kinds[kind] ?? 0) + 1
  }
  return JSON.stringify(kinds)
}
