import { messageOf } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { type JobSummary, readEnded, summarize } from './describe.js'
import type { RunningManager } from './manager.js'

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
    if (summary.sinceMs < nowMs - olderThanMs) found.push(summary)
  }
  return found.sort((a, b) => a.sinceMs - b.sinceMs)
}

/**
 * Removes the directories and records of expired jobs. A job that was delivered again or submitted anew meanwhile stays.
 * @returns how many went; none of a manager with `debug`, which removes nothing
 */
export async function removeExpired(running: RunningManager, olderThanMs: number): Promise<number> {
  const { context, manager } = running
  if (context.config.debug) return 0
  let removed = 0
  for (const { id } of await findExpired(running, olderThanMs)) {
    if (context.signal.aborted) break
    if (context.jobs.has(id)) continue
    await manager.clean(id)
    removed++
  }
  return removed
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
        const removed = await removeExpired(each, olderThanMs)
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
