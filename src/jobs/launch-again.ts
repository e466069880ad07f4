import path from 'node:path'
import type { SchedulerReport } from '../schedulers/scheduler.js'
import { refusesSecondRun, STARTED_FILE } from '../schedulers/started-file.js'
import { disk } from './disk/disk.js'
import { finishJob } from './finish.js'
import { changeStatus, type Job, type ManagerContext, recordOf } from './job.js'
import { journaled } from './journal/note.js'
import { activeKey, type JobEnd } from './record.js'

/** What takes it away before it begins again and again will not let it begin: whoever looks at it must learn that. */
const MOST = 3

/**
 * Whether a job has never begun that its scheduler no longer knows, or whose process on this machine was killed, as far as anything tells:
 * its script, which refuses a second run, has left nothing, and of one that is forgotten nobody saw it run and no note says that it may
 * have begun on this machine. So it is launched once more, as by the recovery after a restart, which finds it neither there. A script of a
 * Python server is not launched again: it says nothing of its begin.
 */
export async function neverBegan(
  context: ManagerContext,
  job: Job,
  report: SchedulerReport,
): Promise<boolean> {
  if (!report.forgotten && !report.unbegun) return false
  const wasSeen = job.status === 'running' || job.history.some(({ status }) => status === 'running')
  // Whoever starts a process sees it run before its script has begun.
  if (!report.unbegun && (job.begin || wasSeen)) return false
  return leftNoTrace(context, job)
}

/** Whether nothing says that the job's script ever began, although it would have said so: one of a Python server would not. */
export async function leftNoTrace(context: ManagerContext, { id, directory }: Job): Promise<boolean> {
  const left = [
    path.join(directory.path, STARTED_FILE),
    directory.returnCode,
    context.events.file('started', id),
  ]
  for (const file of left) if (await disk.exists(file)) return false
  return refusesSecondRun((await disk.readIfThere(directory.script)) ?? '')
}

/** Launches a job once more that `neverBegan`, but not for ever. Call under the job's lock. @throws when it cannot be recorded */
export async function launchAgain(
  context: ManagerContext,
  job: Job,
  { unbegun }: SchedulerReport,
): Promise<void> {
  const { externalId, launchesAgain } = job
  if (unbegun && !(await isStillSo(context, externalId))) return
  if (launchesAgain >= MOST) return finishJob(context, job, unbegun ? KILLED : FORGOTTEN)
  const value = recordOf({
    ...job,
    externalId: undefined,
    idGivenAgain: false,
    launchesAgain: launchesAgain + 1,
  })
  const why = unbegun ? { killed: true as const } : { forgotten: true as const }
  await context.store.write([
    { type: 'put', key: activeKey(context.config.name, job.id), value },
    journaled(context, job.id, { kind: 'launch-again', began: false, ...why }),
  ])
  // The second is what the one that was killed has left.
  for (const name of ['external_id', '.magnetar-exit'])
    await disk.removeFile(path.join(job.directory.path, name))
  context.log.warn(
    { job: job.id, externalId },
    unbegun
      ? 'the process of the job was killed before it began: it is launched again'
      : 'the scheduler no longer knows the job, which never began: it is launched again',
  )
  job.launchesAgain = launchesAgain + 1
  job.externalId = undefined
  job.idGivenAgain = false
  job.endedSinceMs = undefined
  changeStatus(context, job, 'queued')
  context.relaunch(job)
}

/** On this machine a job has the same id at each launch: the report may be of an earlier one. */
async function isStillSo({ scheduler, signal }: ManagerContext, id: string | undefined): Promise<boolean> {
  return id !== undefined && (await scheduler.states([id], signal)).get(id)?.unbegun === true
}

const FORGOTTEN: JobEnd = {
  status: 'lost',
  reason: `The scheduler has forgotten the job each of the ${MOST + 1} times that it was handed over, before it began.`,
}
const KILLED: JobEnd = {
  status: 'failed',
  reason: `The process of the job was killed each of the ${MOST + 1} times that it was started, before it began: perhaps the machine has no memory left.`,
}
