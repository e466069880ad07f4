/** Keeps a dead or hanging controller from costing anything: while it is down, only `scontrol ping` runs, ever more rarely. */
import { messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { SchedulerDown } from '../scheduler.js'

/** The controller was known to be down: the command was not even started. */
export class NotAsked extends SchedulerDown {}

export interface Breaker {
  /** Runs the task, unless the controller is known to be down. A SchedulerDown thrown by it opens the breaker. @throws NotAsked */
  guard<T>(task: () => Promise<T>): Promise<T>
}

export interface BreakerOptions {
  ping(): Promise<boolean>
  readonly log: Logger
  /** First pause between pings; doubles up to the second. */
  readonly minPauseMs?: number
  readonly maxPauseMs?: number
  now?(): number
}

interface Outage {
  readonly reason: string
  readonly since: number
  nextPingAt: number
  pauseMs: number
  /** One command is let through after a good ping; only its success ends the outage. */
  trying: boolean
}

export function createBreaker(options: BreakerOptions): Breaker {
  const { ping, log, minPauseMs = 250, maxPauseMs = 10_000, now = () => performance.now() } = options
  let outage: Outage | undefined

  function fail(reason: string, during: Outage | undefined): void {
    if (during) {
      during.pauseMs = Math.min(during.pauseMs * 2, maxPauseMs)
      during.nextPingAt = now() + during.pauseMs
    }
    // Commands that were under way when another one found it out add nothing.
    if (outage) return
    log.warn(`Slurm does not answer (${reason}); jobs keep their state until it does. Try: scontrol ping`)
    outage = { reason, since: now(), nextPingAt: now() + minPauseMs, pauseMs: minPauseMs, trying: false }
  }

  function succeed(): void {
    if (!outage) return
    log.info(`Slurm answers again after ${Math.round((now() - outage.since) / 1000)} s`)
    outage = undefined
  }

  return {
    async guard(task) {
      const during = outage
      if (during) {
        if (during.trying || now() < during.nextPingAt) throw new NotAsked(during.reason)
        during.trying = true
      }
      try {
        if (during && !(await ping())) throw new NotAsked(during.reason)
        const result = await task()
        succeed()
        return result
      } catch (error) {
        if (error instanceof SchedulerDown) fail(messageOf(error), during)
        throw error
      } finally {
        if (during) during.trying = false
      }
    },
  }
}
