import type { Store } from '../store/store.js'
import { jobDirectory } from './directory.js'
import { type DirectoryDetails, readTraces } from './disk/details.js'
import { disk } from './disk/disk.js'
import type { StateNote } from './history.js'
import { type ManagerContext, recordOf } from './job.js'
import { activeKey, endedKey, type JobRecord } from './record.js'
import { describeTransfers, type JobTransfers } from './transfers.js'
import { isDone } from './transitions.js'
import type { JobStatus } from './types.js'

/** One job as the people who run the node see it. Times are milliseconds since 1970. */
export interface JobSummary {
  readonly id: string
  readonly manager: string
  readonly toolId: string
  readonly toolVersion: string
  readonly status: JobStatus
  readonly submittedAtMs: number
  /** Since when it has that status. */
  readonly sinceMs: number
  /** The scheduler's id, where it differs from ours. */
  readonly externalId?: string
  readonly reason?: string
  /** Cancelled, and something of it still runs. */
  readonly stopping?: true
  readonly transfers?: JobTransfers
}

export interface JobDetails extends JobSummary {
  readonly history: readonly StateNote[]
  readonly directory: string
  readonly script: string
  /** undefined: the directory is gone. */
  readonly found?: DirectoryDetails
  /** It failed, and its outputs could be delivered again. */
  readonly canRetryStageOut: boolean
}

export function summarize(
  manager: string,
  record: JobRecord,
  { transfers, waitsFor }: { transfers?: JobTransfers | undefined; waitsFor?: string | undefined } = {},
): JobSummary {
  const { id, status, tool, submittedAtMs, history } = record
  const last = history?.at(-1)
  const externalId = record.externalId ?? record.ranAs
  const reason =
    record.reason ?? (transfers?.retrying ? transfersWait(transfers) : (waitsFor ?? last?.reason))
  return {
    id,
    manager,
    toolId: tool?.toolId ?? '',
    toolVersion: tool?.toolVersion ?? '',
    status,
    submittedAtMs,
    sinceMs: last?.atMs ?? submittedAtMs,
    ...(externalId === undefined || externalId === id ? {} : { externalId }),
    ...(reason === undefined ? {} : { reason }),
    ...(record.stopping ? { stopping: true as const } : {}),
    ...(transfers ? { transfers } : {}),
  }
}

function transfersWait({ retrying, direction }: JobTransfers): string | undefined {
  return retrying && `${direction === 'in' ? 'inputs' : 'outputs'} are tried again: ${retrying.message}`
}

export function toDetails(
  summary: JobSummary,
  record: JobRecord,
  directory: string,
  found: DirectoryDetails | undefined,
): JobDetails {
  return {
    ...summary,
    history: record.history ?? [{ status: record.status, atMs: record.submittedAtMs }],
    directory,
    script: jobDirectory(directory, '.').script,
    ...(found ? { found } : {}),
    canRetryStageOut: record.status === 'failed' && record.end !== undefined && found !== undefined,
  }
}

/** All that a running manager knows of its unfinished jobs, in the order of their submits. */
export function describeLive(context: ManagerContext): JobSummary[] {
  const transfers = new Map(describeTransfers(context).map((each) => [each.jobId, each]))
  return [...context.jobs.values()]
    .sort((a, b) => a.sequence - b.sequence)
    .map((job) => {
      const { waitsFor, id } = job
      return summarize(context.config.name, recordOf(job), { transfers: transfers.get(id), waitsFor })
    })
}

/** The records of all jobs that are over, by id. */
export async function* readEnded(store: Store, manager: string): AsyncIterable<JobRecord> {
  for await (const [, record] of store.entries<JobRecord>(endedKey(manager, ''))) yield record
}

/** One job of a running manager; undefined when there is no record of it. */
export async function describeJob(context: ManagerContext, jobId: string): Promise<JobDetails | undefined> {
  const { name, stagingDirectory } = context.config
  const job = context.jobs.get(jobId)
  const record = job ? recordOf(job) : await context.store.get<JobRecord>(endedKey(name, jobId))
  if (!record) return undefined
  const transfers = describeTransfers(context).find((each) => each.jobId === jobId)
  const directory = jobDirectory(stagingDirectory, jobId).path
  const found = await disk.describeDirectory(directory)
  return toDetails(summarize(name, record, { transfers, waitsFor: job?.waitsFor }), record, directory, found)
}

/** What the records of a server that does not run say of a manager's unfinished jobs, and what their scripts have left since. */
export async function readLive(
  store: Store,
  manager: string,
  stagingDirectory: string,
): Promise<JobRecord[]> {
  const records: JobRecord[] = []
  for await (const [, record] of store.entries<JobRecord>(activeKey(manager, ''))) {
    const traces = readTraces(jobDirectory(stagingDirectory, record.id).path)
    const waits = !isDone(record.status) && record.end === undefined
    const reason = !traces.isThere
      ? 'Its job directory is gone.'
      : traces.returnCode !== undefined && waits
        ? `It has ended with ${traces.returnCode}; the server will see to that when it is started.`
        : undefined
    records.push({
      ...record,
      ...(waits && traces.isStarted ? { status: 'running' as const } : {}),
      ...(reason === undefined ? {} : { reason }),
    })
  }
  return records.sort((a, b) => a.sequence - b.sequence)
}
