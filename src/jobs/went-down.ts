import { noteSynced } from './begin-note.js'
import { disk } from './disk/disk.js'
import { finishJob } from './finish.js'
import type { Job, ManagerContext } from './job.js'
import { endRun } from './staging-work.js'

/** Why a job fails whose return code may have reached the disk without the rest of what it made. */
const NOT_ON_DISK =
  'The machine went down before the results of the job were on its disk: they may be incomplete.'
/** Why a job is lost that ran, or was about to. */
const CUT_OFF = 'The machine went down while the job ran, or was about to: it is not run a second time.'

/** Whether the machine was started anew since the job began: what is found of it may be only what had reached the disk. */
export function wentDown({ bootId }: ManagerContext, { begin }: Job): boolean {
  return bootId !== '' && begin !== undefined && begin.bootId !== bootId
}

/**
 * Ends a job that had begun when the machine went down, or fails one whose outputs were being delivered. Its return code alone says
 * nothing of its results: files reach the disk in any order. They count when they are known to have been put there. Call under the job's
 * lock, for a job that `wentDown` and was not cancelled.
 * @returns whether there is more to be done for it: its delivery goes on
 */
export async function endCutOff(context: ManagerContext, job: Job): Promise<boolean> {
  if (context.jobs.get(job.id) !== job || job.stopping) return false
  if (job.end !== undefined) {
    if (job.begin?.synced || job.end.status !== 'complete') return true
    await finishJob(context, job, { ...job.end, status: 'failed', reason: NOT_ON_DISK })
    return false
  }
  const returnCode = await disk.readReturnCode(job.directory.path, true)
  if (returnCode === undefined) await finishJob(context, job, { status: 'lost', reason: CUT_OFF })
  // Left by the process that waited for the script while no server was there.
  else if (await disk.exists(job.directory.resultsSynced)) {
    await noteSynced(context, job)
    await endRun(context, job, { status: 'complete', returnCode })
  } else await finishJob(context, job, { status: 'failed', reason: NOT_ON_DISK, returnCode })
  return false
}
