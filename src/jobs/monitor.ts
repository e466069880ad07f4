import { messageOf } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { limitTime } from '../lib/time-limit.js'
import { SchedulerDown } from '../schedulers/scheduler.js'
import { GIVEN_AGAIN } from './given-again.js'
import type { ManagerContext } from './job.js'
import { noteEnded, noteReport } from './judge.js'

const TICK_MS = 250
/** How often the announcements of scripts are listed, for what the kernel did not report (other hosts' writes on NFS). */
const LIST_MS = 1000
const QUERY_TIMEOUT_MS = 60_000

/**
 * Asks the schedulers of all managers about their jobs, in one go, when some job has had no news for as long as its age
 * allows: often for young jobs, seldom for old ones, never because a client polls.
 */
export function startMonitor(contexts: readonly ManagerContext[], log: Logger): { stop(): void } {
  let busy = false
  let listedAtMs = 0
  const tick = async (): Promise<void> => {
    const now = Date.now()
    if (now - listedAtMs >= LIST_MS && contexts.some((context) => context.jobs.size > 0)) {
      listedAtMs = now
      await Promise.all(contexts.map(listEnded))
    }
    if (contexts.some((context) => isDue(context, now)))
      await Promise.all(contexts.map((context) => ask(context, log)))
  }
  const timer = setInterval(() => {
    if (busy) return
    busy = true
    tick()
      .catch((error: unknown) => log.error({ err: error }, `monitor: ${messageOf(error)}`))
      .finally(() => {
        busy = false
      })
  }, TICK_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

async function listEnded(context: ManagerContext): Promise<void> {
  if (context.jobs.size === 0) return
  for (const jobId of await context.events.listEnded()) {
    if (context.jobs.has(jobId)) await noteEnded(context, jobId)
  }
}

function isDue(context: ManagerContext, now: number): boolean {
  for (const job of context.jobs.values()) {
    if (job.externalId === undefined) continue
    if (
      now - job.newsAtMs >=
        context.scheduler.pollIntervalMs(now - (job.announcedAtMs ?? job.submittedAtMs)) ||
      job.newsAtMs === 0
    )
      return true
  }
  return false
}

async function ask(context: ManagerContext, log: Logger): Promise<void> {
  const byExternalId = new Map<string, string>()
  for (const job of context.jobs.values()) {
    if (job.externalId !== undefined && job.idGivenAgain) {
      job.newsAtMs = Date.now()
      await noteReport(context, job.id, job.externalId, GIVEN_AGAIN)
    } else if (job.externalId !== undefined) {
      byExternalId.set(job.externalId, job.id)
      job.newsAtMs = Date.now()
    }
  }
  if (byExternalId.size === 0) return
  const limit = limitTime(context.signal, QUERY_TIMEOUT_MS)
  try {
    const reports = await context.scheduler.states([...byExternalId.keys()], limit.signal)
    for (const [externalId, report] of reports) {
      const jobId = byExternalId.get(externalId)
      const job = jobId === undefined ? undefined : context.jobs.get(jobId)
      if (job) job.waitsFor = undefined
      if (jobId !== undefined) await noteReport(context, jobId, externalId, report)
    }
  } catch (error) {
    // Nothing is known, so nothing changes. The scheduler itself warns once when it goes away.
    if (error instanceof SchedulerDown) tellWhy(context, byExternalId.values(), error)
    if (!(error instanceof SchedulerDown) && !context.signal.aborted)
      log.error(`cannot ask the scheduler: ${messageOf(error)}`)
  } finally {
    limit.release()
  }
}

/** Whoever looks at a job sees why its state may be old. */
function tellWhy(context: ManagerContext, jobIds: Iterable<string>, error: SchedulerDown): void {
  for (const jobId of jobIds) {
    const job = context.jobs.get(jobId)
    if (job) job.waitsFor = `keeps its state until the scheduler answers: ${error.message}`
  }
}
