/** Slurm that comes back without its newest state gives ids again: whoever had such an id it has forgotten. */
import { messageOf } from '../lib/errors.js'
import type { SchedulerReport } from '../schedulers/scheduler.js'
import { type Job, type ManagerContext, recordOf } from './job.js'
import { noteEvent } from './journal/note.js'
import { activeKey } from './record.js'

/** What is to be thought of a job whose id means another one: the scheduler would tell of that. */
export const GIVEN_AGAIN: SchedulerReport = { state: 'gone', forgotten: true }

/** Who has this id by what the scheduler said last, other than `job`. */
export function holderOf(context: ManagerContext, job: Job, externalId: string): Job | undefined {
  // Where the scheduler calls jobs by our ids nobody else has it.
  if (externalId === job.id) return undefined
  for (const other of context.jobs.values()) {
    if (other !== job && other.externalId === externalId && !other.idGivenAgain && !other.end) return other
  }
  return undefined
}

/** `job` has its id now: an earlier one that had it is from now on neither asked for nor stopped by it. */
export function takeIdFromOthers(context: ManagerContext, job: Job): void {
  const { externalId } = job
  if (externalId === undefined) return
  const other = holderOf(context, job, externalId)
  if (!other) return
  other.idGivenAgain = true
  other.newsAtMs = 0
  context.log.warn(
    { job: other.id, externalId },
    `the scheduler has forgotten the job: it has given its id to job ${job.id}`,
  )
  noteEvent(context, other.id, { kind: 'id-given-again', externalId })
  // Should that be lost, the scheduler's queue tells whose the id is.
  context.lock
    .run(other.id, async () => {
      if (context.jobs.get(other.id) !== other || !other.idGivenAgain) return
      const key = activeKey(context.config.name, other.id)
      await context.store.write([{ type: 'put', key, value: recordOf(other) }], { lazy: true })
    })
    .catch((error: unknown) => {
      context.log.warn({ job: other.id }, `cannot record that its id is another job's: ${messageOf(error)}`)
    })
}
