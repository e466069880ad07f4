import path from 'node:path'
import { refusesSecondRun, STARTED_FILE } from '../schedulers/started-file.js'
import { disk } from './disk/disk.js'
import { finishJob } from './finish.js'
import { changeStatus, type Job, type ManagerContext, recordOf } from './job.js'
import { journaled } from './journal/note.js'
import { activeKey } from './record.js'

/** A scheduler that forgets it again and again keeps no jobs: whoever looks at it must learn that. */
const MOST = 3

/**
 * Whether a job which the scheduler no longer knows has never begun, as far as anything tells: nobody saw it run, no note says that it may
 * have begun on this machine, and its script, which refuses a second run, has left nothing. So it is launched once more, as by the recovery
 * after a restart, which finds it neither there. A script of a Python server is not launched again: it says nothing of its begin.
 */
export async function neverBegan(job: Job): Promise<boolean> {
  if (job.begin || job.status === 'running' || job.history.some(({ status }) => status === 'running'))
    return false
  const { directory } = job
  const left = [path.join(directory.path, STARTED_FILE), directory.returnCode]
  for (const file of left) if (await disk.exists(file)) return false
  return refusesSecondRun((await disk.readIfThere(directory.script)) ?? '')
}

/** Launches a job that never began and that the scheduler has forgotten. Call under the job's lock. @throws when it cannot be recorded */
export async function launchForgotten(context: ManagerContext, job: Job): Promise<void> {
  const { externalId, launchesAgain } = job
  if (launchesAgain >= MOST) {
    const reason = `The scheduler has forgotten the job each of the ${MOST + 1} times that it was handed over, before it began.`
    return finishJob(context, job, { status: 'lost', reason })
  }
  const value = recordOf({ ...job, externalId: undefined, launchesAgain: launchesAgain + 1 })
  await context.store.write([
    { type: 'put', key: activeKey(context.config.name, job.id), value },
    journaled(context, job.id, { kind: 'launch-again', began: false, forgotten: true }),
  ])
  await disk.removeFile(path.join(job.directory.path, 'external_id'))
  context.log.warn(
    { job: job.id, externalId },
    'the scheduler no longer knows the job, which never began: it is launched again',
  )
  job.launchesAgain = launchesAgain + 1
  job.externalId = undefined
  job.endedSinceMs = undefined
  changeStatus(context, job, 'queued')
  context.relaunch(job)
}
