import type { JobStatus } from '../types.js'

/** What the journal of a node tells; in the store under `journal/` and a number, oldest first. No addresses, no keys, no command lines. */
export type JournalEvent = NodeEvent | JobEvent

interface Timed {
  /** Milliseconds since 1970. */
  readonly atMs: number
}

export type NodeEvent = Timed &
  (
    | {
        readonly kind: 'node-started'
        /** Of Magnetar. */
        readonly version: string
        /** Of the machine: another one says that it was started anew. */
        readonly bootId: string
        readonly pid: number
      }
    /** Without one before the next start the server was killed, or the machine went down. */
    | { readonly kind: 'node-stopped' }
  )

export type JobEvent = Timed & { readonly manager: string; readonly job: string } & JobNews

/** What can happen to a job. */
export type JobNews =
  /** On disk; acknowledged right after. */
  | { readonly kind: 'submitted'; readonly stagesIn?: true; readonly stagesOut?: true }
  /** A status that does not end the job. */
  | { readonly kind: 'state'; readonly to: JobStatus }
  | ({ readonly kind: 'fetched' } & MovedFile)
  | { readonly kind: 'staged-in' }
  | { readonly kind: 'launched'; readonly externalId: string }
  /** It has run; what follows is the delivery of its outputs. */
  | { readonly kind: 'ran'; readonly status: JobStatus; readonly returnCode?: number }
  /** So many outputs are to be delivered, with those that are already. */
  | { readonly kind: 'delivering'; readonly due: number }
  | ({ readonly kind: 'delivered' } & MovedFile)
  /** An output that Galaxy refuses, or that the tool did not make: the job does not fail by it. */
  | { readonly kind: 'not-wanted'; readonly file: string; readonly name: string }
  | {
      readonly kind: 'ended'
      readonly status: JobStatus
      readonly returnCode?: number
      readonly reason?: string
    }
  | { readonly kind: 'cancelled' }
  /** A cancelled job of which nothing runs any more. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'cleaned'; readonly expired?: true }
  | { readonly kind: 'retry-stage-out' }
  /** After a restart: the scheduler has it. */
  | { readonly kind: 'found-again'; readonly externalId: string }
  /** The scheduler came back without its newest state, and gave the id of this job to another. */
  | { readonly kind: 'id-given-again'; readonly externalId: string }
  /**
   * After a restart, or `forgotten`: the scheduler does not have it. `killed`: its process was, before it began. `local`: its begin is
   * marked on this machine. `began`: its script had been started all the same.
   */
  | {
      readonly kind: 'launch-again'
      readonly began: boolean
      readonly forgotten?: true
      readonly killed?: true
      readonly local?: true
    }
  /** A Python Pulsar went on with it, or had it; what that did is not in the journal. */
  | { readonly kind: 'taken-over'; readonly status: JobStatus }
  /** A clean stop left it where a Python Pulsar finds it. */
  | { readonly kind: 'handed-over'; readonly index: string }

/** A file that has travelled. */
interface MovedFile {
  /** The same for the same file of the same job. */
  readonly file: string
  /** "input dataset_1.dat" */
  readonly name: string
  readonly bytes: number
}

export const JOURNAL = 'journal'

/** In the store: what rotation has taken away. */
export const ROTATED_KEY = 'journal-rotated'

export interface Rotated {
  /** Events with smaller numbers are gone. */
  readonly below: number
}
