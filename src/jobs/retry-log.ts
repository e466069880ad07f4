import type { Logger } from '../lib/log.js'

/**
 * Says which transfers failed and are tried again, in few lines: a Galaxy that is away fails all files of all jobs, for hours. One for
 * all jobs of a manager. Each job is named at least once; after that a reason is said for all of them together.
 */
export interface RetryLog {
  /** `what` of a job failed because of `reason` and is tried again in `delayMs`. */
  failed(jobId: string, what: string, reason: string, delayMs: number): void
  /** The job's transfers are over; its next failure is a first one again. */
  ended(jobId: string): void
}

/** So long the same reason is not said again; each time twice as long. */
const QUIET_MS = 30_000
const QUIET_MAX_MS = 15 * 60_000
/** Reasons that are told apart; what comes then is taken for one. */
const MAX_REASONS = 20
/** Jobs whose first failure has a line of its own, in each half minute; the others share lines of so many. */
const OWN_LINES = 20
const OWN_LINES_MS = 30_000
const JOBS_PER_LINE = 100
const GATHER_MS = 5000
/** Jobs that are told apart when they are counted. */
const MAX_COUNTED = 1000

interface Said {
  atMs: number
  quietMs: number
  /** Failures since, of which nothing was said, and of which jobs. */
  unsaid: number
  readonly jobs: Set<string>
}

export function createRetryLog(log: Logger): RetryLog {
  const reasons = new Map<string, Said>()
  const named = new Set<string>()
  /** Jobs that are yet to be named, with their last words. */
  const unnamed = new Map<string, string>()
  let gathering: NodeJS.Timeout | undefined
  let ownLines = { sinceMs: Number.NEGATIVE_INFINITY, count: 0 }

  function keyOf(reason: string, nowMs: number): string {
    // Every file has an address of its own.
    const key = reason.replace(/\bhttps?:\/\/\S+/g, 'URL')
    if (reasons.size >= MAX_REASONS && !reasons.has(key)) {
      for (const [other, { atMs, quietMs }] of reasons) if (nowMs - atMs > 2 * quietMs) reasons.delete(other)
    }
    return reasons.size < MAX_REASONS || reasons.has(key) ? key : 'others'
  }

  function nameJob(jobId: string, words: string, nowMs: number): void {
    if (nowMs - ownLines.sinceMs >= OWN_LINES_MS) ownLines = { sinceMs: nowMs, count: 0 }
    named.add(jobId)
    if (ownLines.count++ < OWN_LINES) {
      log.warn({ job: jobId }, words)
      return
    }
    unnamed.set(jobId, words)
    gathering ??= setTimeout(nameOthers, GATHER_MS).unref()
    if (unnamed.size >= JOBS_PER_LINE) nameOthers()
  }

  function nameOthers(): void {
    clearTimeout(gathering)
    gathering = undefined
    const ids = [...unnamed.keys()]
    const last = [...unnamed.values()].at(-1)
    unnamed.clear()
    log.warn(
      `transfers of ${count(ids.length, 'more job')} fail and are tried again: ${ids.join(', ')}; the last: ${last}`,
    )
  }

  return {
    failed(jobId, what, reason, delayMs) {
      const nowMs = Date.now()
      const key = keyOf(reason, nowMs)
      const words = `${what}: ${reason}; trying again in ${(delayMs / 1000).toFixed(0)} s`
      const said = reasons.get(key)
      if (said === undefined) reasons.set(key, { atMs: nowMs, quietMs: QUIET_MS, unsaid: 0, jobs: new Set() })
      if (!named.has(jobId)) {
        nameJob(jobId, words, nowMs)
      } else if (said === undefined) {
        log.warn({ job: jobId }, words)
      } else if (nowMs - said.atMs < said.quietMs) {
        said.unsaid++
        if (said.jobs.size <= MAX_COUNTED) said.jobs.add(jobId)
        log.debug({ job: jobId }, words)
      } else {
        log.warn({ job: jobId }, `${words}${moreOf(said, jobId)}`)
        // What was quiet for long begins anew.
        const isOld = nowMs - said.atMs > 4 * said.quietMs
        said.quietMs = isOld ? QUIET_MS : Math.min(said.quietMs * 2, QUIET_MAX_MS)
        said.atMs = nowMs
        said.unsaid = 0
        said.jobs.clear()
      }
    },
    ended: (jobId) => void named.delete(jobId),
  }
}

/** " (and 14 more like it, of 3 jobs, since it was last said)" */
function moreOf({ unsaid, jobs }: Said, jobId: string): string {
  if (unsaid === 0) return ''
  const isOwn = jobs.size === 1 && jobs.has(jobId)
  const number = jobs.size > MAX_COUNTED ? `more than ${MAX_COUNTED} jobs` : count(jobs.size, 'job')
  return ` (and ${unsaid} more like it${isOwn ? '' : `, of ${number},`} since it was last said)`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
