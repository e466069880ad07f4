import type { ManagerContext } from './job.js'
import { rateOf } from './transfer-progress.js'

/** The files of one job on their way. */
export interface JobTransfers {
  readonly jobId: string
  /** in: inputs are fetched; out: outputs are delivered. */
  readonly direction: 'in' | 'out'
  readonly files: number
  readonly filesDone: number
  readonly filesFailed: number
  readonly bytes: number
  /** Over the last five seconds. */
  readonly bytesPerSecond: number
  /** Milliseconds since 1970; of this process, when the transfers began before a restart. */
  readonly startedAtMs: number
  /** undefined: nothing waits for another attempt. */
  readonly retrying: Retrying | undefined
}

export interface Retrying {
  /** Files that wait. */
  readonly files: number
  /** Why the last of them failed: the file and what was said, without keys. */
  readonly message: string
  /** Milliseconds since 1970; what is past waits for its turn. */
  readonly nextAttemptAtMs: number
}

/** All jobs of a manager whose files travel at this moment. */
export function describeTransfers(context: ManagerContext, nowMs = Date.now()): JobTransfers[] {
  return [...context.jobs.values()].flatMap(({ id, progress }) => {
    if (!progress) return []
    const { direction, files, filesDone, filesFailed, bytes, startedAtMs, retrying, lastError } = progress
    const waits = {
      files: retrying.size,
      message: lastError ?? '',
      nextAttemptAtMs: soonest(retrying.values()),
    }
    return [
      {
        jobId: id,
        direction,
        files,
        filesDone,
        filesFailed,
        bytes,
        bytesPerSecond: Math.round(rateOf(progress, nowMs)),
        startedAtMs,
        retrying: retrying.size > 0 ? waits : undefined,
      },
    ]
  })
}

function soonest(times: Iterable<number>): number {
  let first = Number.POSITIVE_INFINITY
  for (const time of times) first = Math.min(first, time)
  return first
}
