import path from 'node:path'
import { mayPass, messageOf } from '../lib/errors.js'
import { listDirectory } from '../lib/fs.js'
import { createLimit } from '../lib/limit.js'
import { isLocal } from '../schedulers/index.js'
import { STARTED_FILE } from '../schedulers/started-file.js'
import { adoptJob, goOn, type Stranger } from './adopt-job.js'
import { disk } from './disk/disk.js'
import type { PythonTraces } from './disk/python-traces.js'
import { directoryOf, INDEX_KINDS, indexDirectory, type Job, type ManagerContext } from './job.js'
import { checkJobId } from './job-id.js'
import { journaled, noteEvent } from './journal/note.js'
import { type IndexKind, type Parked, parkedKey } from './park.js'
import { outcomeOf } from './python-outcome.js'
import { activeKey, endedKey } from './record.js'
import { distrustInputs } from './stage-in-again.js'
import { takeOverStrays } from './strays.js'

/** Jobs that are looked at together. */
const AT_ONCE = 16

/**
 * Takes over from a Python server, which may have gone on with the jobs that we left it (see park) and has jobs of its own. Call
 * after our own records are read, before anything is asked of us. How far it came with a job: outcomeOf.
 *
 * | job | then |
 * | --- | --- |
 * | ours, ended or cancelled by the Python server | as it says |
 * | ours, left before its launch | as far as the Python server came; of inputs still to be fetched, those that were touched are fetched again |
 * | ours, left with our scheduler, or while its outputs were delivered | as we recorded it |
 * | ours, cleaned there | forgotten |
 * | its own, in an index | as far as it came; from then on it is one of ours |
 * | its own, in an index, without a launch_config that can be read | failed, and the same |
 * | in an index, without a job directory that can be read | left alone, and named |
 * | its own, in no index, and its directory says that it was handed over and has not ended | see strays.ts |
 * | its own, in no index, else | it is over: its final_status counts |
 */
export async function takeOver(context: ManagerContext): Promise<void> {
  const { persistenceDirectory } = context
  const index: Index =
    persistenceDirectory === undefined ? new Map() : await readIndex(context, persistenceDirectory)
  if (persistenceDirectory !== undefined) await takeOverIndexed(context, persistenceDirectory, index)
  await takeOverStrays(context, index)
}

async function takeOverIndexed(
  context: ManagerContext,
  persistenceDirectory: string,
  index: Index,
): Promise<void> {
  const { config, store, log } = context
  const limit = createLimit(AT_ONCE)
  const parked = await store.get<Parked>(parkedKey(config.name))
  await takeAllBack(context, parked, index)
  const strangers = await readStrangers(context, index)
  const leftAlone = index.size - strangers.ours - strangers.readable.length
  let failed = 0
  await Promise.all(
    strangers.readable.map((stranger) =>
      limit(async () => {
        if (!(await adoptJob(context, stranger))) failed++
      }),
    ),
  )
  for (const [jobId, kinds] of index) {
    const isKnown = context.jobs.has(jobId) || (await store.get(endedKey(config.name, jobId))) !== undefined
    if (!isKnown) continue
    // What stays is found again by the next start: no reason not to start.
    await forgetIndex(persistenceDirectory, config.name, jobId, kinds).catch((error: unknown) =>
      log.warn({ job: jobId }, `its file in the index of a Python Pulsar stays: ${messageOf(error)}`),
    )
  }
  if (parked) await store.write([{ type: 'del', key: parkedKey(config.name) }], { lazy: true })
  const left = leftAlone + failed
  if (left > 0)
    log.warn(
      `of the index of a Python Pulsar (${persistenceDirectory}) ${left === 1 ? 'one job' : `${left} jobs`}, named above, cannot be taken over: the index files stay`,
    )
}

type Index = Map<string, Set<IndexKind>>

async function readIndex(context: ManagerContext, persistenceDirectory: string): Promise<Index> {
  const index: Index = new Map()
  for (const kind of INDEX_KINDS) {
    for (const jobId of await listDirectory(
      indexDirectory(persistenceDirectory, context.config.name, kind),
    )) {
      const kinds = index.get(jobId) ?? new Set()
      index.set(jobId, kinds.add(kind))
    }
  }
  return index
}

/** While we run, the store is the only index. */
async function forgetIndex(
  persistenceDirectory: string,
  manager: string,
  jobId: string,
  kinds: ReadonlySet<IndexKind>,
): Promise<void> {
  for (const kind of kinds)
    await disk.removeFile(path.join(indexDirectory(persistenceDirectory, manager, kind), jobId))
}

/** The jobs in the index of which we know nothing, in the order of their submits. */
async function readStrangers(
  context: ManagerContext,
  index: Index,
): Promise<{ readonly ours: number; readonly readable: readonly Stranger[] }> {
  const limit = createLimit(AT_ONCE)
  let ours = 0
  const readable: Stranger[] = []
  const look = async (jobId: string, kinds: ReadonlySet<IndexKind>): Promise<void> => {
    const known = context.jobs.has(jobId) || (await context.store.get(endedKey(context.config.name, jobId)))
    if (known) {
      ours++
      return
    }
    try {
      checkJobId(jobId)
      const directory = directoryOf(context, jobId).path
      const traces = await disk.readPythonTraces(directory)
      // It may be on a file system that is not mounted just now.
      if (!traces.exists) throw new Error(`its directory ${directory} is not there, or may not be entered`)
      if (traces.isLaunchUnread) throw new Error(`its launch_config ${traces.launchProblem}`)
      readable.push({ jobId, kinds, traces })
    } catch (error) {
      context.log.warn({ job: jobId }, `cannot be taken over from a Python Pulsar: ${messageOf(error)}`)
    }
  }
  await Promise.all([...index].map(([jobId, kinds]) => limit(() => look(jobId, kinds))))
  readable.sort((a, b) => (a.traces.submittedAtMs ?? 0) - (b.traces.submittedAtMs ?? 0))
  return { ours, readable }
}

interface Left {
  readonly kind: IndexKind
  readonly atMs: number
  /** The stop did not come as far as recording it: its files may be left in part, and a Python server may have found it nevertheless. */
  readonly isUnsure: boolean
}

/** Takes back the jobs of ours that a stop has left, or was about to leave. */
async function takeAllBack(context: ManagerContext, parked: Parked | undefined, index: Index): Promise<void> {
  const limit = createLimit(AT_ONCE)
  const take = async (job: Job): Promise<void> => {
    await disk.openUp(job.directory.path)
    // Killed, it had not begun to leave anything; an older release may have.
    if (!parked) return disk.returnStreams(job.directory.path)
    const { [job.id]: recorded } = parked.kinds
    const left = {
      kind: recorded ?? (await assumeLeft(context, job)),
      atMs: parked.atMs,
      isUnsure: recorded === undefined,
    }
    await takeBack(context, job, left, index.get(job.id))
  }
  await Promise.all(
    [...context.jobs.values()].map((job) =>
      limit(() =>
        take(job).catch((error: unknown) => {
          // Of one whose directory is closed to us nothing is known but our record; no reason not to start.
          if (mayPass(error) || context.signal.aborted) throw error
          context.log.warn({ job: job.id }, `left as it was recorded: ${messageOf(error)}`)
        }),
      ),
    ),
  )
}

/** How a stop that was cut off would have left it, if it came to that. */
async function assumeLeft({ config }: ManagerContext, job: Job): Promise<IndexKind> {
  const hasBegun = isLocal(config)
    ? await disk.exists(path.join(job.directory.path, STARTED_FILE))
    : job.externalId !== undefined
  return hasBegun ? 'active' : 'preprocessing'
}

/**
 * A job of ours that a stop left. Its streams come back first, as it may be found to be over; what says how far a Python server came goes
 * last, when that is recorded: cut off anywhere, this is done again by the next start.
 */
async function takeBack(
  context: ManagerContext,
  job: Job,
  left: Left,
  kinds: ReadonlySet<IndexKind> = new Set(),
): Promise<void> {
  const { path: directory } = job.directory
  const traces = await disk.readPythonTraces(directory)
  if (!traces.exists && left.isUnsure) return
  if (!traces.exists && kinds.size === 0) {
    // It may only be closed to us: a tool may do that to its own directory.
    return (await disk.exists(directory)) ? undefined : forget(context, job)
  }
  await disk.returnStreams(directory)
  await takeBackAs(context, job, left, kinds, traces)
  await disk.takeBackJob(directory)
}

async function takeBackAs(
  context: ManagerContext,
  job: Job,
  left: Left,
  kinds: ReadonlySet<IndexKind>,
  traces: PythonTraces,
): Promise<void> {
  const { finalStatus } = traces
  // What we wrote ourselves.
  if (job.stopping || (left.kind === 'postprocessing' && kinds.has('postprocessing'))) return
  // The final_status may be ours; what was delivered meanwhile is delivered again.
  if (left.isUnsure && job.end !== undefined) return
  const isDecided = finalStatus !== undefined || traces.isCancelled || traces.launchFailed
  // What was handed over before is still known to our own scheduler.
  if (left.kind !== 'preprocessing' && !isDecided) return
  const outcome = await outcomeOf(context, job, kinds, traces)
  if (outcome.kind === 'begin again')
    return job.stagesIn ? distrustInputs(context, job, left.atMs) : undefined
  noteEvent(context, job.id, { kind: 'taken-over', status: job.status })
  await goOn(context, job, outcome)
}

/** A client had it cleaned by the Python server. */
async function forget(context: ManagerContext, job: Job): Promise<void> {
  context.jobs.delete(job.id)
  await context.store.write([
    { type: 'del', key: activeKey(context.config.name, job.id) },
    journaled(context, job.id, { kind: 'taken-over', status: job.status }),
    journaled(context, job.id, { kind: 'cleaned' }),
  ])
}
