import { messageOf } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { cleanJob } from './clean.js'
import { type JobSummary, readEnded, summarize } from './describe.js'
import type { RunningManager } from './manager.js'
import { endedKey, type JobRecord } from './record.js'

const HOUR_MS = 3_600_000
const FIRST_MS = 60_000

/** The jobs of a manager that ended so long ago and that nobody has cleaned, oldest first. */
export async function findExpired(
  { context }: RunningManager,
  olderThanMs: number,
  nowMs = Date.now(),
): Promise<JobSummary[]> {
  const found: JobSummary[] = []
  for await (const record of readEnded(context.store, context.config.name)) {
    const summary = summarize(context.config.name, record)
    if (isExpired(summary, olderThanMs, nowMs)) found.push(summary)
  }
  return found.sort((a, b) => a.sinceMs - b.sinceMs)
}

/** What became of the jobs that were to expire. */
export interface Expired {
  readonly removed: number
  /** Still there, with the reason in words. */
  readonly kept: readonly { readonly id: string; readonly why: string }[]
}

/**
 * Removes the directories and records of expired jobs. Whether a job still is one is asked under its lock: one that is delivered again
 * or was submitted anew meanwhile stays, and whoever asks for that later finds no such job.
 */
export async function removeExpired(
  running: RunningManager,
  olderThanMs: number,
  nowMs = Date.now(),
): Promise<Expired> {
  const { context } = running
  const { name, debug } = context.config
  const kept: { id: string; why: string }[] = []
  let removed = 0
  for (const { id } of await findExpired(running, olderThanMs, nowMs)) {
    if (context.signal.aborted) break
    await context.lock.run(id, async () => {
      const record = await context.store.get<JobRecord>(endedKey(name, id))
      if (debug) kept.push({ id, why: `manager ${name} has "debug": nothing is removed` })
      else if (context.jobs.has(id)) kept.push({ id, why: 'it is not over any more' })
      else if (!record) kept.push({ id, why: 'somebody else has removed it' })
      else if (!isExpired(summarize(name, record), olderThanMs, nowMs))
        kept.push({ id, why: 'it has only just ended again' })
      else {
        await cleanJob(context, id, 'expired')
        removed++
      }
    })
  }
  return { removed, kept }
}

function isExpired({ sinceMs }: JobSummary, olderThanMs: number, nowMs: number): boolean {
  return sinceMs < nowMs - olderThanMs
}

/** Has the server itself remove what expires, every hour; returns how to stop that. */
export function startExpiry(
  managers: readonly RunningManager[],
  olderThanMs: number,
  log: Logger,
): () => void {
  let timer: NodeJS.Timeout
  const turn = async (): Promise<void> => {
    for (const each of managers) {
      try {
        const { removed } = await removeExpired(each, olderThanMs)
        if (removed > 0) log.info(`${removed} jobs of ${each.manager.name} removed that nobody had collected`)
      } catch (error) {
        log.warn(`cannot remove jobs that nobody collected: ${messageOf(error)}`)
      }
    }
    later(HOUR_MS)
  }
  const later = (ms: number): void => {
    timer = setTimeout(() => void turn(), ms).unref()
  }
  later(FIRST_MS)
  return () => clearTimeout(timer)
}
