import { messageOf } from '../lib/errors.js'
import { disk } from './disk/disk.js'
import { changeStatus, type ManagerContext, recordOf } from './job.js'
import { journaled } from './journal/note.js'
import { activeKey } from './record.js'
import { stopJob } from './stop.js'
import { isDone } from './transitions.js'

/**
 * Cancels a job in whatever phase it is: durable and visible at once, stopped in the background. Nothing happens to a job
 * that is over or unknown. Call under the job's lock.
 */
export async function cancelJob(context: ManagerContext, jobId: string): Promise<void> {
  const job = context.jobs.get(jobId)
  if (!job) return
  if (isDone(job.status)) return
  job.stopping = true
  try {
    await context.store.write([
      {
        type: 'put',
        key: activeKey(context.config.name, jobId),
        value: recordOf(job, { status: 'cancelled' }),
      },
      journaled(context, jobId, { kind: 'cancelled' }),
    ])
  } catch (error) {
    job.stopping = false
    throw error
  }
  changeStatus(context, job, 'cancelled')
  context.stopMoving(job)
  // For a Python server alone. From here on it is cancelled, and nothing may keep it from being stopped.
  await disk.writeFlags(job.directory.path, { cancelled: true }).catch((error: unknown) => {
    context.log.warn({ job: jobId }, `the flag of its cancellation cannot be written: ${messageOf(error)}`)
  })
  // While it is launched or its files travel there is no external id: whoever works on it then stops it at once.
  if (job.externalId !== undefined) await stopJob(context, job)
}
