import type { JobSummary } from '../jobs/describe.js'
import type { JobTransfers } from '../jobs/transfers.js'
import type { JobStatus } from '../jobs/types.js'
import type { DiskRoom } from '../lib/disk-space.js'
import type { ErrorCode } from '../lib/error-table.js'

export type { AuditFilter, AuditReport } from '../jobs/audit/types.js'
export type { JobDetails, JobSummary } from '../jobs/describe.js'
export type { JobStatus } from '../jobs/types.js'

/** What a server says of itself without looking at anything. */
export interface ServerSigns {
  readonly pid: number
  /** When it last read app.yml and found but other tokens there, which it took up; undefined: never since its start. */
  readonly appReadAtMs?: number
}

/** What the control socket says; times are milliseconds since 1970, sizes bytes. */
export interface NodeStatus {
  /** False: all this is what the records of a stopped server say. */
  readonly running: boolean
  /** Something listens on the control socket, but does not answer as a server should; only with `running: false`. */
  readonly silent?: boolean
  readonly pid?: number
  readonly version: string
  readonly startedAtMs?: number
  readonly url?: string
  /** Why the records of a stopped server cannot be read: of jobs nothing is known then. */
  readonly recordsError?: { readonly code: ErrorCode; readonly message: string; readonly fix?: string }
  readonly managers: readonly ManagerStatus[]
  /** The last jobs that failed or were lost, newest first. */
  readonly lastFailures: readonly JobSummary[]
  readonly disks: readonly DiskSpace[]
}

export type JobCounts = Readonly<Partial<Record<JobStatus, number>>>

export interface ManagerStatus {
  readonly name: string
  readonly type: string
  /** undefined: nobody could be asked. */
  readonly scheduler?: { readonly ok: boolean; readonly summary: string; readonly detail?: string }
  readonly counts: JobCounts
  readonly transfers: readonly JobTransfers[]
}

export interface DiskSpace extends DiskRoom {
  /** "jobs, records" */
  readonly what: string
  /** The first of them that is on it. */
  readonly directory: string
}

export interface JobList {
  /** As in NodeStatus. */
  readonly running: boolean
  readonly silent?: boolean
  /** Unfinished jobs in the order of their submits, then those that are over, newest first. */
  readonly jobs: readonly JobSummary[]
  /** Of all jobs, also those that are not listed. */
  readonly counts: JobCounts
  /** So many more are over and are not listed. */
  readonly left: number
}

export interface JobFilter {
  /** undefined: of any state. */
  readonly states?: readonly JobStatus[]
  readonly manager?: string
  /** At most so many that are over. */
  readonly ended: number
}
