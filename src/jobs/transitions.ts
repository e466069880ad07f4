import type { JobStatus } from './types.js'

/**
 * Which status may follow which. There is no other way for a job's status to change than `nextStatus`, and no way back
 * from the four that end a job. `running → queued`: a scheduler that requeues or suspends.
 */
const TRANSITIONS = {
  preprocessing: ['queued', 'running', 'postprocessing', 'complete', 'cancelled', 'failed', 'lost'],
  queued: ['running', 'postprocessing', 'complete', 'cancelled', 'failed', 'lost'],
  running: ['queued', 'postprocessing', 'complete', 'cancelled', 'failed', 'lost'],
  postprocessing: ['complete', 'cancelled', 'failed', 'lost'],
  complete: [],
  cancelled: [],
  failed: [],
  lost: [],
} as const satisfies Record<JobStatus, readonly JobStatus[]>

/** Whether a job with this status is done (pulsar/managers/status.py:is_job_done). */
export function isDone(status: JobStatus): boolean {
  return TRANSITIONS[status].length === 0
}

/** Whether a word is one of the eight. */
export function isJobStatus(word: string): word is JobStatus {
  return Object.hasOwn(TRANSITIONS, word)
}

/** `wanted` when it may follow `from`; undefined when it may not, or is the same. */
export function nextStatus(from: JobStatus, wanted: JobStatus): JobStatus | undefined {
  const allowed: readonly JobStatus[] = TRANSITIONS[from]
  return allowed.includes(wanted) ? wanted : undefined
}
