import type { ToolInfo } from './disk/setup.js'
import type { StateNote } from './history.js'
import type { JobStatus } from './types.js'

/** What the store keeps of a job. What it was asked to run stands in its directory (launch_config). */
export interface JobRecord {
  readonly id: string
  readonly status: JobStatus
  /** Order of submits, for the queue after a restart. */
  readonly sequence: number
  readonly submittedAtMs: number
  /** The scheduler's id, once it has taken the job. */
  readonly externalId?: string
  /** The scheduler has given that id to another job. */
  readonly idGivenAgain?: true
  /** The scheduler's id while its outputs are delivered, when that has nothing more to say. */
  readonly ranAs?: string
  /** The tool that it runs, where Galaxy said which. */
  readonly tool?: ToolInfo
  /** Its states so far, with their times; written with every write of the record, never for its own sake. */
  readonly history?: readonly StateNote[]
  /** How often it was launched once more, as the scheduler had forgotten it, or its process was killed, before it began. */
  readonly launchesAgain?: number
  /** Cancelled, but the scheduler has not yet confirmed that everything has stopped. */
  readonly stopping?: true
  /** Cleaned before it had stopped: nothing of it is to stay. */
  readonly cleaned?: true
  /** Its inputs are still to be fetched. */
  readonly stagesIn?: true
  /** Its outputs are to be delivered by this node. */
  readonly stagesOut?: true
  /** How it ended, while its outputs are being delivered. */
  readonly end?: JobEnd
  /** Why it failed or was lost. */
  readonly reason?: string
}

/** How a job ended. */
export interface JobEnd {
  readonly status: Extract<JobStatus, 'complete' | 'failed' | 'lost'>
  /** Why, when it is not `complete`. */
  readonly reason?: string
  /** For a script that left no return code. */
  readonly exitCode?: number
  /** What its script left; undefined: nobody looked, or it left none. */
  readonly returnCode?: number
}

/** Jobs that are alive, or cancelled and not yet stopped: read whole at start. */
export function activeKey(manager: string, jobId: string): string {
  return `active/${manager}/${jobId}`
}

/** Jobs that are over, until they are cleaned: looked up one by one. */
export function endedKey(manager: string, jobId: string): string {
  return `ended/${manager}/${jobId}`
}
