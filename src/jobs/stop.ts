import { messageOf } from '../lib/errors.js'
import { backoffMs, pause } from '../lib/timing.js'
import { settleStopped } from './finish.js'
import type { Job, ManagerContext } from './job.js'

const RETRY_FIRST_MS = 500
const RETRY_MAX_MS = 30_000
/** A scheduler that answers at all has answered by then; a service manager's patience with a stop is ten seconds. */
const CLOSE_LIMIT_MS = 1500

/**
 * Has the scheduler stop a cancelled job, trying again until it answers. The monitor then sees the end. Returns at once;
 * call under the job's lock.
 */
export async function stopJob(context: ManagerContext, job: Job): Promise<void> {
  const { externalId } = job
  // Whatever has its id is not to be stopped.
  if (externalId === undefined || job.idGivenAgain) return settleStopped(context, job, undefined)
  void stopUntilAnswered(context, job, externalId)
}

async function stopUntilAnswered(context: ManagerContext, job: Job, externalId: string): Promise<void> {
  for (let attempt = 0; !context.signal.aborted; attempt++) {
    try {
      if (job.idGivenAgain)
        return await context.lock.run(job.id, () => settleStopped(context, job, undefined))
      await askToCancel(context, externalId)
      job.waitsFor = undefined
      job.newsAtMs = 0
      return
    } catch (error) {
      job.waitsFor = `not stopped yet, tried again: ${messageOf(error)}`
      if (attempt === 0)
        context.log.warn({ job: job.id }, `not stopped yet, trying again: ${messageOf(error)}`)
      await pause(backoffMs(attempt, RETRY_FIRST_MS, RETRY_MAX_MS), context.signal)
    }
  }
}

async function askToCancel(context: ManagerContext, externalId: string): Promise<void> {
  const asking = context.scheduler.cancel(externalId, context.signal)
  context.cancelling.add(asking)
  try {
    await asking
  } finally {
    context.cancelling.delete(asking)
  }
}

/** Before the manager closes: whoever goes on with its jobs, a Python server for one, takes what is cancelled for stopped. */
export async function letCancel(context: ManagerContext): Promise<void> {
  await Promise.race([
    Promise.allSettled(context.cancelling),
    pause(CLOSE_LIMIT_MS, context.signal).then(() => {
      const left = context.cancelling.size
      if (left > 0)
        context.log.warn(
          `the scheduler has not yet answered for ${left} cancelled jobs: the next start stops them`,
        )
    }),
  ])
}
