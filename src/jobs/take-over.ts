import path from 'node:path'
import { messageOf } from '../lib/errors.js'
import { listDirectory } from '../lib/fs.js'
import { disk } from './disk/disk.js'
import type { PythonTraces } from './disk/python-traces.js'
import { finishJob, settleStopped } from './finish.js'
import {
  changeStatus,
  directoryOf,
  INDEX_KINDS,
  indexDirectory,
  type Job,
  jobFromRecord,
  type ManagerContext,
  recordOf,
} from './job.js'
import { checkJobId } from './job-id.js'
import { journaled, noteEvent } from './journal/note.js'
import { type IndexKind, type Parked, parkedKey } from './park.js'
import { activeKey, endedKey, type JobRecord } from './record.js'
import { wantsStageIn } from './stage-in.js'
import { distrustInputs } from './stage-in-again.js'
import { wantsStageOut } from './wants-stage-out.js'

/**
 * Takes over from a Python server, which may have gone on with the jobs that we left it (see park) and has jobs of its own. Call
 * after our own records are read, before anything is asked of us.
 *
 * | job | its index files and flags say | then |
 * | --- | --- | --- |
 * | ours | in the index where we left it, or killed before we could | as we recorded it; of its inputs, those that were touched are fetched again |
 * | ours, left before its launch | launched, not begun | launch it |
 * | ours, left before its launch | launched on a cluster | watch it |
 * | ours, left before its launch | launched here | deliver, if it ended; lost, if not: its process is none of ours |
 * | any | preprocessing_failed | over: failed |
 * | any | final_status, postprocessing index | deliver its outputs, end as it says |
 * | ours | final_status, no index | over, as it says |
 * | its own | preprocessing index, nothing failed or launched | fetch inputs, launch |
 * | its own | active index, final_status | deliver its outputs, end as it says |
 * | its own | active index, no final_status | left alone |
 */
export async function takeOver(context: ManagerContext): Promise<void> {
  const { persistenceDirectory, config, store, log } = context
  if (persistenceDirectory === undefined) return
  const index = await readIndex(context, persistenceDirectory)
  const parked = await store.get<Parked>(parkedKey(config.name))
  for (const [jobId, kind] of Object.entries(parked?.kinds ?? {})) {
    const job = context.jobs.get(jobId)
    if (!job) continue
    if (!index.get(jobId)?.has(kind)) {
      noteEvent(context, jobId, { kind: 'taken-over', status: job.status })
      await followUp(context, job, kind, index.get(jobId))
    } else if (job.stagesIn && parked) await distrustInputs(context, job, parked.atMs)
  }
  let leftAlone = 0
  for (const [jobId, kinds] of index) {
    const adopted = context.jobs.has(jobId) || (await adopt(context, jobId, kinds))
    if (adopted) await forgetIndex(persistenceDirectory, config.name, jobId, kinds)
    else leftAlone++
  }
  if (parked) await store.write([{ type: 'del', key: parkedKey(config.name) }], { lazy: true })
  if (leftAlone > 0)
    log.warn(
      `${leftAlone} jobs of a Python Pulsar are left alone: it had handed them over, and only it can tell how they end`,
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

/** A job of ours that is not where we left it. */
async function followUp(
  context: ManagerContext,
  job: Job,
  left: IndexKind,
  kinds: ReadonlySet<IndexKind> | undefined,
): Promise<void> {
  const traces = await disk.readPythonTraces(job.directory.path)
  const { finalStatus } = traces
  if (traces.launchFailed)
    return finishJob(context, job, { status: 'failed', reason: 'A Python Pulsar could not launch it.' })
  // Of a job whose outputs were being delivered we wrote that ourselves; and it is over, because it left the index.
  if (finalStatus === 'complete' || finalStatus === 'failed') {
    if (!kinds?.has('postprocessing') && !kinds?.has('active'))
      return finishJob(context, job, { status: finalStatus })
    return record(context, job, { end: { status: finalStatus }, status: 'postprocessing' })
  }
  if (finalStatus === 'cancelled') {
    changeStatus(context, job, 'cancelled')
    return settleStopped(context, job, undefined)
  }
  // What was handed over before is still known to our own scheduler.
  if (left !== 'preprocessing' || !traces.isLaunched) return
  job.stagesIn = false
  if (traces.isWaiting) {
    await disk.removeFile(path.join(job.directory.path, 'command_line'))
    return record(context, job, { status: 'queued' })
  }
  if (traces.externalId !== undefined)
    return record(context, job, { status: 'queued', externalId: traces.externalId })
  if (!traces.hasReturnCode)
    return finishJob(context, job, {
      status: 'lost',
      reason: 'A Python Pulsar started it and was stopped before it ended: nobody saw its end.',
    })
  if (!job.stagesOut) return finishJob(context, job, { status: 'complete' })
  return record(context, job, { end: { status: 'complete' }, status: 'postprocessing' })
}

async function record(
  context: ManagerContext,
  job: Job,
  found: { readonly status: 'queued' | 'postprocessing' } & Partial<Pick<Job, 'end' | 'externalId'>>,
): Promise<void> {
  const { status, ...more } = found
  Object.assign(job, more)
  changeStatus(context, job, status)
  const change = { type: 'put', key: activeKey(context.config.name, job.id), value: recordOf(job) } as const
  await context.store.write([change])
}

/** Makes a Python server's job one of ours, if it can be gone on with. @returns whether its index files have served their purpose */
async function adopt(
  context: ManagerContext,
  jobId: string,
  kinds: ReadonlySet<IndexKind>,
): Promise<boolean> {
  const { config, store, log } = context
  const ended = endedKey(config.name, jobId)
  if ((await store.get(ended)) !== undefined) return true
  try {
    checkJobId(jobId)
    const directory = directoryOf(context, jobId).path
    const traces = await disk.readPythonTraces(directory)
    if (!traces.isSubmitted) return false
    const adopted = recordFrom(context, jobId, kinds, traces)
    if (!adopted) return traces.finalStatus === 'cancelled'
    await disk.claimJobDirectory(directory)
    const isOver = adopted.status === 'complete' || adopted.status === 'failed'
    const key = isOver ? ended : activeKey(config.name, jobId)
    await store.write([
      { type: 'put', key, value: adopted },
      journaled(context, jobId, { kind: 'taken-over', status: adopted.status }),
    ])
    if (!isOver) context.jobs.set(jobId, jobFromRecord(context, adopted))
    log.info({ job: jobId }, `taken over from a Python Pulsar: ${adopted.status}`)
    return true
  } catch (error) {
    log.warn({ job: jobId }, `cannot be taken over from a Python Pulsar: ${messageOf(error)}`)
    return false
  }
}

/** undefined: there is nothing that we could go on with. */
function recordFrom(
  context: ManagerContext,
  jobId: string,
  kinds: ReadonlySet<IndexKind>,
  { finalStatus, launchFailed, isLaunched, remoteStaging }: PythonTraces,
): JobRecord | undefined {
  const base = { id: jobId, sequence: context.nextSequence(), submittedAtMs: Date.now() }
  const stagesOut = wantsStageOut(remoteStaging) ? { stagesOut: true as const } : {}
  if (launchFailed) return { ...base, status: 'failed' }
  if (finalStatus === 'complete' || finalStatus === 'failed') {
    if (!stagesOut.stagesOut) return { ...base, status: finalStatus }
    return { ...base, ...stagesOut, status: 'postprocessing', end: { status: finalStatus } }
  }
  if (finalStatus !== undefined || !kinds.has('preprocessing') || isLaunched) return undefined
  const stagesIn = wantsStageIn(remoteStaging) ? { stagesIn: true as const } : {}
  return { ...base, ...stagesIn, ...stagesOut, status: 'preprocessing' }
}
