import type { StoreChange } from '../store/store.js'
import { cancelJob } from './cancel.js'
import { directoryOf, type ManagerContext, recordOf } from './job.js'
import { journaled } from './journal/note.js'
import { activeKey, endedKey } from './record.js'

/** Stops the job when it is still alive, then removes its directory, if that is ours, and its record. Call under the job's lock. */
export async function cleanJob(context: ManagerContext, jobId: string, why?: 'expired'): Promise<void> {
  const { name, debug } = context.config
  if (debug) return
  await cancelJob(context, jobId)
  const isKnown =
    context.jobs.has(jobId) ||
    context.recentlyEnded.get(jobId) !== undefined ||
    (await context.store.get(endedKey(name, jobId))) !== undefined
  await context.trash.discard(directoryOf(context, jobId).path)
  context.recentlyEnded.delete(jobId)
  context.recentlySeen.delete(jobId)
  const changes: StoreChange[] = [{ type: 'del', key: endedKey(name, jobId) }]
  const job = context.jobs.get(jobId)
  if (job) {
    job.cleaned = true
    changes.push({ type: 'put', key: activeKey(name, jobId), value: recordOf(job) })
  }
  // Of jobs that never were, anybody could fill the journal.
  if (isKnown) changes.push(journaled(context, jobId, { kind: 'cleaned', ...(why ? { expired: true } : {}) }))
  await context.store.write(changes, { lazy: true })
  context.log.debug({ job: jobId }, 'cleaned')
}
