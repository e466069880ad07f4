import type { Logger } from '../lib/log.js'

/**
 * Says which transfers failed and are tried again, in few lines: a Galaxy that is away fails all files of all jobs, for hours. One for
 * all jobs of a manager.
 */
export interface RetryLog {
  /** `what` of a job failed because of `reason` and is tried again in `delayMs`. */
  failed(jobId: string, what: string, reason: string, delayMs: number): void
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

  function keyOf(reason: string, nowMs: number): string {
    // Every file has an address of its own.
    const key = reason.replace(/\bhttps?:\/\/\S+/g, 'URL')
    if (reasons.size >= MAX_REASONS && !reasons.has(key)) {
      for (const [other, { atMs, quietMs }] of reasons) if (nowMs - atMs > 2 * quietMs) reasons.delete(other)
    }
    return reasons.size < MAX_REASONS || reasons.has(key) ? key : 'others'
  }

  return {
    failed(jobId, what, reason, delayMs) {
      const nowMs = Date.now()
      const key = keyOf(reason, nowMs)
      const words = `${what}: ${reason}; trying again in ${(delayMs / 1000).toFixed(0)} s`
      const said = reasons.get(key)
      if (said === undefined) {
        reasons.set(key, { atMs: nowMs, quietMs: QUIET_MS, unsaid: 0 })
        log.warn({ job: jobId }, words)
      } else if (nowMs - said.atMs < said.quietMs) {
        said.unsaid++
        log.debug({ job: jobId }, words)
      } else {
        const more = said.unsaid === 0 ? '' : ` (and ${said.unsaid} more like it since it was last said)`
        log.warn({ job: jobId }, `${words}${more}`)
        // What was quiet for long begins anew.
        const isOld = nowMs - said.atMs > 4 * said.quietMs
        said.quietMs = isOld ? QUIET_MS : Math.min(said.quietMs * 2, QUIET_MAX_MS)
        said.atMs = nowMs
        said.unsaid = 0
      }
    },
  }
}
