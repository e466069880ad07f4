import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { hasEnvironment, readProcesses } from '../../src/schedulers/process-table.js'
import { generated } from '../helpers/job-files/content.js'
import type { JobFilesServer } from '../helpers/job-files-server.js'
import { createPulledJob, type PulledJob, wrongOutputs } from '../helpers/pulled-job.js'
import { BeginAgain, type ChaosClient, createChaosClient, type StatusAnswer } from './chaos-client.js'
import type { ChaosNode } from './chaos-node.js'

/** What a client of one job had in hand, and what it found at the end. */
export interface Life {
  readonly name: LifeName
  readonly id: string
  readonly client: ChaosClient
  readonly violations: string[]
  /** The last good answer: setup, upload, submit, done, got, clean. */
  acked: Set<string>
  /** The final status, once a client has it. */
  end: StatusAnswer | undefined
  /** The status that a client has had last. */
  told?: StatusAnswer
}

export const LIFE_NAMES = ['push', 'pull', 'cancel'] as const
export type LifeName = (typeof LIFE_NAMES)[number]

/** Where lives take place. */
export interface World {
  readonly node: ChaosNode
  readonly galaxy: JobFilesServer
  /** Apart from the node's directory: a line per run of each job. */
  readonly runsDirectory: string
  /** What an audit has found already. */
  readonly audited: Set<string>
  /** Milliseconds that the tool of each job takes. */
  readonly toolMs?: number
  /** How long a client waits for the end of its job, milliseconds. */
  readonly patienceMs?: number
  /** A client whose server goes before it has confirmed the submit begins again with setup and uploads. */
  readonly beginsAgain?: boolean
}

const END_TIMEOUT_MS = Number(process.env.MAGNETAR_CHAOS_PATIENCE_MS ?? 60_000)
const POLL_MS = 25

const INPUTS = [
  ['in.dat', seeded(1, 3_000)],
  ['big.dat', seeded(2, 150_000)],
] as const
const OUTPUT = Buffer.concat(INPUTS.map(([, content]) => content))

function seeded(seed: number, bytes: number): Buffer {
  return generated(bytes, seed).read(0, bytes)
}

export function newLife(world: World, name: LifeName, id: string): Life {
  mkdirSync(world.runsDirectory, { recursive: true })
  return {
    name,
    id,
    client: createChaosClient(world.node),
    violations: [],
    acked: new Set(),
    end: undefined,
  }
}

/** Lines that the job's tool has left: how often it ran. */
export function runsOf(world: World, id: string): number {
  try {
    return readFileSync(path.join(world.runsDirectory, id), 'utf8').split('\n').length - 1
  } catch {
    return 0
  }
}

/** Takes a job from setup to its end, asking again for what goes wrong; never rejects: what a client cannot get is a violation. */
export async function live(world: World, life: Life): Promise<void> {
  try {
    if (life.name === 'push') await push(world, life)
    else if (life.name === 'pull') await pull(world, life)
    else await cancel(world, life)
  } catch (error) {
    if (error instanceof BeginAgain) return live(world, life)
    const what = error instanceof Error ? error.message : String(error)
    life.violations.push(`no end: ${what}; ${lastWords(world, life)}`)
  }
}

/** What its client was told last, and what the server has last said of it. */
export function lastWords({ node }: World, { id, told }: Life): string {
  const lines = node.logs().split('\n')
  const said = lines.filter((line) => line.includes(`"job":"${id}"`)).slice(-8)
  return [`${id}; its status was ${JSON.stringify(told)?.slice(0, 1500)}`, ...said].join('\n      ')
}

/** Downloads, then cleans. */
export async function takeAway(life: Life): Promise<void> {
  const { client, id } = life
  try {
    if (life.name === 'push' && life.end?.status === 'complete' && life.end.returncode === 0) {
      const got = await client.call('GET', `jobs/${id}/files`, { name: 'out.dat', type: 'output' })
      if (!got.equals(OUTPUT)) life.violations.push(`wrong bytes: ${describe(got)}`)
      life.acked.add('got')
    }
    await client.call('DELETE', `jobs/${id}`, { job_id: id })
    life.acked.add('clean')
  } catch (error) {
    life.violations.push(`cannot be taken away: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function describe(got: Buffer): string {
  const same = got.findIndex((byte, at) => byte !== OUTPUT[at])
  const zeros = got.length > 0 && got.every((byte) => byte === 0) ? ', all zero' : ''
  return `${got.length} of ${OUTPUT.length} bytes, the first wrong one at ${same}${zeros}`
}

async function setUp(world: World, { client, acked, id }: Life): Promise<Record<string, string>> {
  await world.node.ensureUp()
  if (world.beginsAgain) client.onlyDuring(world.node.starts)
  const document = JSON.parse((await client.call('POST', 'jobs', { job_id: id })).toString('utf8'))
  acked.add('setup')
  return document as Record<string, string>
}

async function submit(life: Life, commandLine: string, remoteStaging?: unknown): Promise<void> {
  const { client, id } = life
  const more = remoteStaging === undefined ? {} : { remote_staging: JSON.stringify(remoteStaging) }
  await client.call('POST', `jobs/${id}/submit`, { job_id: id, command_line: commandLine, ...more })
  client.onlyDuring(undefined)
  life.acked.add('submit')
}

function runLine(world: World, id: string): string {
  const wait = world.toolMs === undefined ? '' : `; sleep ${world.toolMs / 1000}`
  return `echo run >> '${path.join(world.runsDirectory, id)}'${wait}`
}

async function push(world: World, life: Life): Promise<void> {
  const { client, id } = life
  await setUp(world, life)
  for (const [name, content] of INPUTS)
    await client.call('POST', `jobs/${id}/files`, { name, type: 'input' }, content)
  life.acked.add('upload')
  const copy = `cat ${INPUTS.map(([name]) => `../inputs/${name}`).join(' ')} > ../outputs/out.dat`
  await submit(life, `${runLine(world, id)}; echo work > work.txt; ${copy}`)
  await untilDone(life, world.patienceMs)
}

async function pull(world: World, life: Life): Promise<void> {
  const job = pulledJob(world, life.id)
  await setUp(world, life)
  await submit(life, job.commandLine, job.remoteStaging)
  const end = await untilDone(life, world.patienceMs)
  if (end?.status === 'complete' && end.returncode === 0) {
    life.violations.push(...wrongOutputs(world.galaxy, job).map((what) => `delivered: ${what}`))
  }
}

function pulledJob(world: World, id: string): PulledJob {
  const inputs = [
    { action: 'remote_transfer' as const, content: generated(4_000, 3) },
    { action: 'remote_transfer' as const, content: generated(300_000, 4) },
  ]
  return createPulledJob(
    world.galaxy,
    id,
    inputs,
    ['remote_transfer', 'remote_transfer_tus'],
    runLine(world, id),
  )
}

async function cancel(world: World, life: Life): Promise<void> {
  const { client, id } = life
  const { working_directory: working = '' } = await setUp(world, life)
  const runs = path.join(world.runsDirectory, id)
  await submit(life, `echo run >> '${runs}'; echo $$ > pids; sleep 600`)
  await until(
    async () => existsSync(runs) || (await client.status(id)).complete === 'true',
    'begin of the job to be cancelled',
    world.patienceMs,
  )
  await client.call('PUT', `jobs/${id}/cancel`, { job_id: id })
  life.acked.add('cancel')
  await untilDone(life, world.patienceMs)
  // The server says so at once, and stops what runs.
  const left = () => readProcesses().filter(({ pid }) => hasEnvironment(pid, `_GALAXY_JOB_DIR=${working}`))
  await until(
    async () => left().length === 0,
    'end of the processes of the cancelled job',
    world.patienceMs,
  ).catch((error: Error) =>
    life.violations.push(`${error.message}: ${JSON.stringify(left())}; ${lastWords(world, life)}`),
  )
}

/** Resolves with the final status. */
export async function untilDone(life: Life, patienceMs = END_TIMEOUT_MS): Promise<StatusAnswer | undefined> {
  life.end = await until(
    async () => {
      const answer = await life.client.status(life.id)
      life.told = answer
      return answer.complete === 'true' ? answer : undefined
    },
    'end of the job',
    patienceMs,
  )
  life.acked.add('done')
  return life.end
}

async function until<T>(
  ask: () => Promise<T | false | undefined>,
  what: string,
  patienceMs = END_TIMEOUT_MS,
): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`no ${what} in ${patienceMs} ms`)
    await delay(POLL_MS)
  }
}
