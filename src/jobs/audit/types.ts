import type { JobStatus } from '../types.js'

/** What must hold of every history: docs/promises.md has them in a user's words. */
export type Rule =
  | 'submitted-once'
  | 'launched-once'
  | 'one-end'
  | 'never-backwards'
  | 'delivered-first'
  | 'end-explained'
  | 'nobody-vanished'
  | 'records-agree'
  | 'directory-there'
  | 'input-complete'
  | 'external-id-once'
  | 'no-gap'

/** A rule that is broken. Times are milliseconds since 1970. */
export interface Violation {
  readonly rule: Rule
  /** undefined: it is about the journal itself. */
  readonly manager?: string
  readonly job?: string
  /** Of the event that broke it, or of the last that is known of the job. */
  readonly atMs: number
  readonly message: string
}

/** One line of a job's history. */
export interface TimelineEntry {
  /** Of the event in the journal. */
  readonly number: number
  readonly atMs: number
  readonly text: string
}

export interface AuditReport {
  /** False: a server that keeps nothing has no journal. */
  readonly hasJournal: boolean
  /** So many jobs have a directory, though there is no journal: it was removed, and nothing can be proved of them. */
  readonly directoriesWithoutJournal?: number
  readonly examined: Examined
  readonly violations: readonly (Violation & { readonly timeline: readonly TimelineEntry[] })[]
  /** So many more violations are not listed. */
  readonly more: number
  /** Of the job that was asked for. */
  readonly timeline?: readonly TimelineEntry[]
}

export interface Examined {
  /** Jobs in the journal or the records. */
  readonly jobs: number
  readonly events: number
  /** Of the journal; undefined: it is empty. */
  readonly fromMs?: number
  readonly toMs?: number
  /** Older events were taken away by rotation. */
  readonly rotated: boolean
  readonly starts: number
  /** Starts after a server that had not been stopped. */
  readonly afterCrash: number
  /** Of these, how many after the machine was started anew. */
  readonly afterReboot: number
  readonly active: number
  readonly ended: number
}

export interface AuditFilter {
  readonly job?: string
  /** Only what was broken since. */
  readonly sinceMs?: number
}

/** What the journal says of one job, from a submit on. */
export interface Life {
  readonly manager: string
  readonly job: string
  /** False: its submit is not in the journal, only what came later. */
  readonly isWhole: boolean
  /** A Python Pulsar had it for a time. */
  foreign: boolean
  stagesOut: boolean
  status: JobStatus | undefined
  hasRun: boolean
  end: JobStatus | undefined
  stopped: boolean
  cleaned: boolean
  launches: number
  launchesAgain: number
  externalId: string | undefined
  due: number | undefined
  /** Outputs that arrived, or that nobody wants. */
  readonly settled: Set<string>
  /** Inputs that were fetched, and their sizes. */
  readonly fetched: Map<string, number>
  atMs: number
}

export function lifeKey(manager: string, job: string): string {
  return `${manager}/${job}`
}
