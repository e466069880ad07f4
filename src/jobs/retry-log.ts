import type { Logger } from '../lib/log.js'

/** Says which transfers of a job failed and are tried again, in few lines: a Galaxy that is away fails all files of a job, for hours. */
export interface RetryLog {
  /** `what` failed because of `reason` and is tried again in `delayMs`. */
  failed(what: string, reason: string, delayMs: number): void
  /** Failed attempts so far. */
  count(): number
}

/** So long the same reason is not said again; each time twice as long. */
const QUIET_MS = 30_000
const QUIET_MAX_MS = 15 * 60_000
/** Reasons that are told apart; what comes then is taken for one. */
const MAX_REASONS = 20

interface Said {
  atMs: number
  quietMs: number
  /** Failures since, of which nothing was said. */
  unsaid: number
}

export function createRetryLog(log: Logger): RetryLog {
  const reasons = new Map<string, Said>()
  let failures = 0
  return {
    failed(what, reason, delayMs) {
      failures++
      const key = reasons.size < MAX_REASONS || reasons.has(reason) ? reason : 'others'
      const words = `${what}: ${reason}; trying again in ${(delayMs / 1000).toFixed(0)} s`
      const nowMs = Date.now()
      const said = reasons.get(key)
      if (said === undefined) {
        reasons.set(key, { atMs: nowMs, quietMs: QUIET_MS, unsaid: 0 })
        log.warn(words)
      } else if (nowMs - said.atMs < said.quietMs) {
        said.unsaid++
        log.debug(words)
      } else {
        log.warn(
          said.unsaid === 0 ? words : `${words} (and ${said.unsaid} more like it since it was last said)`,
        )
        said.atMs = nowMs
        said.quietMs = Math.min(said.quietMs * 2, QUIET_MAX_MS)
        said.unsaid = 0
      }
    },
    count: () => failures,
  }
}
