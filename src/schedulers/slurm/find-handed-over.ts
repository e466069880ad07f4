/** Finds jobs whose sbatch was never answered or recorded. */
import { untilAborted } from '../../lib/until-aborted.js'
import type { Submission } from '../scheduler.js'
import type { SlurmService } from './service.js'
import { startedIds } from './started-ids.js'
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
