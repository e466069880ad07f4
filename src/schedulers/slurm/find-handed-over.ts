/** Finds jobs whose sbatch was never answered or recorded. */
import { untilAborted } from '../../lib/until-aborted.js'
import type { RecoverRequest, Submission } from '../scheduler.js'
import type { SlurmService } from './service.js'
import { startedIds } from './started-ids.js'
import { isSameJob } from './state-query.js'
import { reportOf } from './states.js'

/** Job id → Slurm id: from J/started, else by script, or name and directory, in the queue. @throws SchedulerDown */
export async function findHandedOver(
  jobs: readonly Submission[],
  service: Pick<SlurmService, 'stateQuery'>,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const found = await startedIds(jobs, signal)
  const rest = jobs.filter(({ jobId }) => !found.has(jobId))
  if (rest.length === 0) return found
  const live = new Map<string, string>()
  for (const record of await untilAborted(service.stateQuery.list(), signal)) {
    const state = reportOf(record)?.state
    // An ended one of the same name may be from an earlier life of the job id; had ours ended, J/started would be there.
    if (state === 'ended') continue
    live.set(`${record.name}\0${record.workingDirectory ?? ''}`, record.baseId)
    // A Python server submits from a directory of its own.
    if (record.script) live.set(record.script, record.baseId)
  }
  for (const job of rest) {
    const id = live.get(job.script) ?? live.get(`${job.name}\0${job.workingDirectory}`)
    if (id !== undefined) found.set(job.jobId, id)
  }
  return found
}

/**
 * Of jobs that have the same id by their records, as Slurm came back without its newest state and gave the id again just before the
 * server was killed: those that do not have it in the queue. @throws SchedulerDown
 */
export async function wrongHolders(
  jobs: readonly RecoverRequest[],
  service: Pick<SlurmService, 'stateQuery'>,
  signal: AbortSignal,
): Promise<ReadonlySet<RecoverRequest>> {
  const holders = new Map<string, RecoverRequest[]>()
  for (const job of jobs) {
    if (job.externalId === undefined) continue
    const others = holders.get(job.externalId)
    if (others) others.push(job)
    else holders.set(job.externalId, [job])
  }
  const disputed = [...holders.values()].flatMap((of) => (of.length > 1 ? of : []))
  if (disputed.length === 0) return new Set()
  const queue = await untilAborted(service.stateQuery.list(), signal)
  const has = (job: RecoverRequest): boolean =>
    queue.some((record) => record.baseId === job.externalId && isSameJob(record, job))
  return new Set(disputed.filter((job) => !has(job)))
}
