import type { JobStatus } from './types.js'

/** A state of a job and when it came to be. */
export interface StateNote {
  readonly status: JobStatus
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly reason?: string
}

/** A scheduler may requeue a job for ever: the first and the last states are kept. */
const KEPT_FIRST = 10
const KEPT = 50

/** The history with one more state; as it is when the job is in that state already. */
export function withState(history: readonly StateNote[], note: StateNote): readonly StateNote[] {
  if (history.at(-1)?.status === note.status) return history
  if (history.length < KEPT) return [...history, note]
  return [...history.slice(0, KEPT_FIRST), ...history.slice(KEPT_FIRST + 1), note]
}
