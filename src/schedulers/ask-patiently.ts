/** Questions to the system whose answer decides what becomes of a job: one that cannot be had just now is waited for. */
import { mayPass, messageOf } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { backoffMs, pause } from '../lib/timing.js'
import { SchedulerDown } from './scheduler.js'

const FIRST_MS = 50
const MAX_MS = 5000

export interface Patience {
  readonly jobId: string
  readonly log: Logger
  readonly signal: AbortSignal
}

/** Asks until there is an answer, once in any case. @throws whatever will not pass; the last error when the signal aborts */
export async function askPatiently<T>(
  ask: () => T | Promise<T>,
  { jobId, log, signal }: Patience,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      if (signal.aborted || !(error instanceof SchedulerDown || mayPass(error))) throw error
      if (attempt === 0)
        log.warn({ job: jobId }, `keeps its state until the system answers: ${messageOf(error)}`)
      await pause(backoffMs(attempt, FIRST_MS, MAX_MS), signal)
    }
  }
}
