import path from 'node:path'
import type { ManagerConfig, MetricPluginConfig } from '../config/types.js'
import type { Dependencies } from '../dependencies/dependencies.js'
import type { KeyedLock } from '../lib/keyed-lock.js'
import type { Logger } from '../lib/log.js'
import type { Recent } from '../lib/recent.js'
import type { Scheduler } from '../schedulers/scheduler.js'
import type { HttpClient } from '../staging/http-client.js'
import type { TransferQueue } from '../staging/transfer-queue.js'
import type { Store } from '../store/store.js'
import type { BeginNote } from './begin-note.js'
import { type JobDirectory, jobDirectory } from './directory.js'
import type { ToolInfo } from './disk/setup.js'
import { type StateNote, withState } from './history.js'
import type { JobEnd, JobRecord } from './record.js'
import type { RetryLog } from './retry-log.js'
import type { ScriptEvents } from './script-events.js'
import type { TransferProgress } from './transfer-progress.js'
import { nextStatus } from './transitions.js'
import type { Trash } from './trash.js'
import type { JobStatus } from './types.js'

/** A job that is alive, or cancelled and not yet stopped, as this process knows it. */
export interface Job {
  readonly id: string
  readonly directory: JobDirectory
  readonly sequence: number
  readonly submittedAtMs: number
  /** Changed by `changeStatus` alone. */
  readonly status: JobStatus
  externalId: string | undefined
  /** The scheduler has forgotten it, and given its id to another job. */
  idGivenAgain: boolean
  /** The scheduler's id of a job whose outputs are being delivered. */
  ranAs: string | undefined
  /** How often it was launched once more, as the scheduler had forgotten it, or its process was killed, before it began. */
  launchesAgain: number
  readonly tool: ToolInfo | undefined
  /** Changed by `changeStatus` alone. */
  readonly history: readonly StateNote[]
  /** Cancelled; whatever the scheduler still runs of it is being stopped. */
  stopping: boolean
  /** Cleaned before it had stopped: no record of it stays. */
  cleaned: boolean
  /** Its inputs are to be fetched before it can be launched. */
  stagesIn: boolean
  /** Its outputs are to be delivered when it has run. */
  readonly stagesOut: boolean
  /** It has run and ended so; its outputs are being delivered. */
  end: JobEnd | undefined
  /** Since when it may have begun to run on this machine. */
  begin: BeginNote | undefined
  /** Ends its transfers. */
  moving: AbortController | undefined
  /** Ends the search for what its tool requires. */
  providing: AbortController | undefined
  progress: TransferProgress | undefined
  /** What it waits for that is away, for people; undefined: nothing, as far as is known. */
  waitsFor: string | undefined
  /** When its state was last learned or asked for. */
  newsAtMs: number
  /** Since when its script has announced its end, while the scheduler has yet to say how it ended. */
  announcedAtMs: number | undefined
  /** Since when the scheduler says that it ended while its return code has not shown up. */
  endedSinceMs: number | undefined
}

/** What the parts of one manager share. */
export interface ManagerContext {
  readonly config: ManagerConfig
  /** Names of the other managers whose jobs are in the same staging directory. */
  readonly neighbours: readonly string[]
  /** Pulsar's version, as it stands in answers. */
  readonly version: string
  readonly scheduler: Scheduler
  /** How long a return code may lag behind the scheduler's word; 0 where both are on this host. */
  readonly returnCodeWaitMs: number
  readonly metrics: readonly MetricPluginConfig[]
  /** undefined: what tools require is not looked at. */
  readonly dependencies: Dependencies | undefined
  readonly store: Store
  readonly transfers: TransferQueue
  readonly http: HttpClient
  /** Says that transfers are tried again. */
  readonly retries: RetryLog
  readonly events: ScriptEvents
  readonly trash: Trash
  /** undefined: the index files of the Python server are not kept (`persistence_directory: __none__`). */
  readonly persistenceDirectory: string | undefined
  readonly log: Logger
  readonly jobs: Map<string, Job>
  /** Of this machine since it was last started; empty where jobs run elsewhere, or the kernel tells none. */
  readonly bootId: string
  /** Jobs that are being submitted and for which a place is kept. */
  readonly promised: Set<string>
  /** What the scheduler is being asked to stop. */
  readonly cancelling: Set<Promise<void>>
  /** Job directories that were made or seen lately, so that each of a job's uploads need not look for its directory. */
  readonly recentlySeen: Recent<true>
  /** How jobs ended lately, so that the polls which see it need not ask the store. */
  readonly recentlyEnded: Recent<JobStatus>
  readonly lock: KeyedLock
  /** Aborted when the manager closes. */
  readonly signal: AbortSignal
  /** Queues a job for its launch once more. */
  relaunch(job: Job): void
  /** Starts to fetch the inputs of a job. */
  bringIn(job: Job): void
  /** Starts to deliver the outputs of a job that has run. */
  deliver(job: Job): void
  /** Ends the transfers of a job that was cancelled, and the search for what its tool requires. */
  stopMoving(job: Job): void
  nextSequence(): number
  /** Called after each change of status, by `changeStatus` alone. */
  publish(change: StatusChange): void
}

export interface StatusChange {
  readonly manager: string
  readonly jobId: string
  readonly from: JobStatus
  readonly to: JobStatus
  readonly reason?: string
}

export function directoryOf(context: ManagerContext, jobId: string): JobDirectory {
  return jobDirectory(context.config.stagingDirectory, jobId)
}

export function jobFromRecord(context: ManagerContext, record: JobRecord): Job {
  return {
    id: record.id,
    directory: directoryOf(context, record.id),
    sequence: record.sequence,
    submittedAtMs: record.submittedAtMs,
    status: record.status,
    externalId: record.externalId,
    idGivenAgain: record.idGivenAgain ?? false,
    ranAs: record.ranAs,
    launchesAgain: record.launchesAgain ?? 0,
    tool: record.tool,
    history: record.history ?? [{ status: 'preprocessing', atMs: record.submittedAtMs }],
    stopping: record.stopping ?? false,
    cleaned: record.cleaned ?? false,
    stagesIn: record.stagesIn ?? false,
    stagesOut: record.stagesOut ?? false,
    end: record.end,
    begin: undefined,
    moving: undefined,
    providing: undefined,
    progress: undefined,
    waitsFor: undefined,
    newsAtMs: Date.now(),
    announcedAtMs: undefined,
    endedSinceMs: undefined,
  }
}

export function recordOf(job: Job, more: { status?: JobStatus; reason?: string } = {}): JobRecord {
  const status = more.status ?? job.status
  const why = more.reason === undefined ? {} : { reason: more.reason }
  return {
    id: job.id,
    status,
    sequence: job.sequence,
    submittedAtMs: job.submittedAtMs,
    ...(job.externalId === undefined ? {} : { externalId: job.externalId }),
    ...(job.idGivenAgain ? { idGivenAgain: true as const } : {}),
    ...(job.ranAs === undefined ? {} : { ranAs: job.ranAs }),
    ...(job.launchesAgain === 0 ? {} : { launchesAgain: job.launchesAgain }),
    ...(job.tool === undefined ? {} : { tool: job.tool }),
    history: withState(job.history, { status, atMs: Date.now(), ...why }),
    ...(job.stopping ? { stopping: true as const } : {}),
    ...(job.cleaned ? { cleaned: true as const } : {}),
    ...(job.stagesIn ? { stagesIn: true as const } : {}),
    ...(job.stagesOut ? { stagesOut: true as const } : {}),
    ...(job.end === undefined ? {} : { end: job.end }),
    ...why,
  }
}

/** The one place where a job's status changes. Nothing happens when the table of transitions forbids it. */
export function changeStatus(context: ManagerContext, job: Job, wanted: JobStatus, reason?: string): boolean {
  const to = nextStatus(job.status, wanted)
  if (!to) return false
  const from = job.status
  const why = reason === undefined ? {} : { reason }
  Object.assign(job, {
    status: to,
    history: withState(job.history, { status: to, atMs: Date.now(), ...why }),
  })
  context.publish({
    manager: context.config.name,
    jobId: job.id,
    from,
    to,
    ...why,
  })
  return true
}

/** A job that was over is alive again, as `record` says: outside of the table of transitions, for retry-stage-out alone. */
export function reopenJob(context: ManagerContext, record: JobRecord, from: JobStatus): Job {
  const job = jobFromRecord(context, record)
  context.jobs.set(job.id, job)
  context.recentlyEnded.delete(job.id)
  context.publish({
    manager: context.config.name,
    jobId: job.id,
    from,
    to: job.status,
    reason: 'its outputs are delivered again',
  })
  return job
}

/** Empty files by which the Python server finds its jobs again (pulsar/managers/stateful.py:ActiveJobs). */
export const INDEX_KINDS = ['active', 'preprocessing', 'postprocessing'] as const

export function indexDirectory(
  persistenceDirectory: string,
  manager: string,
  kind: (typeof INDEX_KINDS)[number],
): string {
  return path.join(persistenceDirectory, `${manager}-${kind}-jobs`)
}
