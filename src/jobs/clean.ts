import type { StoreChange } from '../store/store.js'
import { cancelJob } from './cancel.js'
import { directoryOf, type ManagerContext, recordOf } from './job.js'
import { activeKey, endedKey } from './record.js'

/** Stops the job when it is still alive, then removes its directory, if that is ours, and its record. Call under the job's lock. */
export async function cleanJob(context: ManagerContext, jobId: string): Promise<void> {
  const { name, debug } = context.config
  if (debug) return
  await cancelJob(context, jobId)
  await context.trash.discard(directoryOf(context, jobId).path)
  context.recentlyEnded.delete(jobId)
  context.recentlySeen.delete(jobId)
  const changes: StoreChange[] = [{ type: 'del', key: endedKey(name, jobId) }]
  const job = context.jobs.get(jobId)
  if (job) {
    job.cleaned = true
    changes.push({ type: 'put', key: activeKey(name, jobId), value: recordOf(job) })
  }
  await context.store.write(changes, { lazy: true })
  context.log.debug({ job: jobId }, 'cleaned')
}
