import path from 'node:path'
import { messageOf } from '../lib/errors.js'
import { pause } from '../lib/timing.js'
import type { SchedulerReport } from '../schedulers/scheduler.js'
import { parseStarted, STARTED_FILE } from '../schedulers/started-file.js'
import { disk } from './disk/disk.js'
import { eventFiles, recordEnd, settleStopped } from './finish.js'
import { holderOf } from './given-again.js'
import { changeStatus, type Job, type ManagerContext } from './job.js'
import { launchAgain, leftNoTrace, neverBegan } from './launch-again.js'
import { endRun } from './staging-work.js'
import { wentDown } from './went-down.js'

/** Above this a return code may be a signal's: then the scheduler is asked whether it was the one who killed. */
const LAST_PLAIN_CODE = 128
const RECHECK_MS = 250

/** The script has begun. Under the lock: while its end is being written nothing may come after that in the journal. */
export function noteStarted(context: ManagerContext, jobId: string): Promise<void> {
  return underLock(context, jobId, async (job) => {
    job.newsAtMs = Date.now()
    changeStatus(context, job, 'running')
  })
}

/** The script has ended: with a plain return code that is the end of the job, else the scheduler's word is wanted. */
export function noteEnded(context: ManagerContext, jobId: string): Promise<void> {
  return underLock(context, jobId, async (job) => {
    if (job.end) return
    if (job.stopping) return askSoon(job)
    // That is for the recovery to say.
    if (wentDown(context, job)) return
    const code = await disk.readEnd(job.directory.path, LAST_PLAIN_CODE, eventFiles(context, jobId))
    if (code === undefined) {
      job.announcedAtMs ??= Date.now()
      return askSoon(job)
    }
    const end = { status: 'complete', returnCode: code } as const
    if (job.stagesOut) await endRun(context, job, end)
    else await recordEnd(context, job, end)
  })
}

/** What the scheduler says of a job under the id that it had when it was asked. */
export function noteReport(
  context: ManagerContext,
  jobId: string,
  externalId: string,
  report: SchedulerReport,
): Promise<void> {
  return underLock(context, jobId, async (job) => {
    // Launched once more since, or found to have run under another id.
    if (job.externalId !== externalId) return
    if (job.end || (wentDown(context, job) && !job.stopping)) return
    job.newsAtMs = Date.now()
    if (report.state === 'queued' || report.state === 'running') {
      job.endedSinceMs = undefined
      if (!job.stopping) changeStatus(context, job, report.state)
      return
    }
    if (job.stopping) return settleStopped(context, job, report.exitCode)
    if (await ranElsewhere(context, job)) return
    await judgeEnd(context, job, report)
  })
}

async function judgeEnd(context: ManagerContext, job: Job, report: SchedulerReport): Promise<void> {
  await disk.openUp(job.directory.path)
  if (report.failure !== undefined) {
    // A script that was killed after it had left its return code (a negative exit code): the tool was through.
    // Slurm, back without its newest state, cancels what is over: without an exit code.
    const killed = report.exitCode === undefined || report.exitCode < 0
    const left = killed ? await disk.readReturnCode(job.directory.path, false) : undefined
    if (left !== undefined && left <= LAST_PLAIN_CODE)
      return endRun(context, job, { status: 'complete', returnCode: left })
    return endRun(context, job, { status: 'failed', reason: report.failure })
  }
  job.endedSinceMs ??= Date.now()
  const overdue = Date.now() - job.endedSinceMs >= context.returnCodeWaitMs
  const code = await disk.readReturnCode(job.directory.path, overdue)
  if (code !== undefined) return endRun(context, job, { status: 'complete', returnCode: code })
  await disk.demandStaging(context.config.stagingDirectory)
  if (!overdue) return recheckLater(context, job, report)
  if (await neverBegan(context, job, report)) return launchAgain(context, job, report)
  const { exitCode } = report
  if (exitCode !== undefined && exitCode >= 0 && (await leftNoTrace(context, job)))
    return endRun(context, job, { status: 'lost', reason: withoutTrace(exitCode) })
  if (exitCode !== undefined) return endRun(context, job, { status: 'complete', exitCode })
  if (report.unexplained !== undefined)
    return endRun(context, job, { status: 'failed', reason: report.unexplained })
  const waited =
    context.returnCodeWaitMs > 0
      ? ` (waited ${context.returnCodeWaitMs / 1000} s for it, option return_code_wait)`
      : ''
  return endRun(
    context,
    job,
    report.state === 'gone'
      ? {
          status: 'lost',
          reason: `The scheduler no longer knows the job, and it left no return code${waited}.`,
        }
      : {
          status: 'lost',
          reason: `The job ended without leaving a return code${waited}: it was killed, or its host went down.`,
        },
  )
}

function withoutTrace(exitCode: number): string {
  const how = exitCode === 0 ? 'well' : `with exit code ${exitCode}`
  return `The scheduler says that the job ended ${how}, but its script has left no sign that it ever began: its host could not start it or does not share the staging directory, or what ran was another job.`
}

/** The scheduler's word stays; only the file is looked for again (shared file systems show it late). */
function recheckLater(context: ManagerContext, job: Job, report: SchedulerReport): void {
  const { externalId } = job
  void pause(RECHECK_MS, context.signal).then(() => {
    if (externalId !== undefined && !context.signal.aborted)
      return noteReport(context, job.id, externalId, report)
  })
}

/**
 * After a crash between submit and its record a job may have been handed over twice. Its script runs only once, and says
 * under which id: that one counts.
 */
async function ranElsewhere(context: ManagerContext, job: Job): Promise<boolean> {
  const text = await disk.readIfThere(path.join(job.directory.path, STARTED_FILE))
  const ranAs = text && parseStarted(text)?.schedulerJobId
  // A DRMAA library may add the cluster's name to the id.
  if (!ranAs || ranAs === job.externalId || job.externalId?.startsWith(`${ranAs}.`)) return false
  job.externalId = ranAs
  job.idGivenAgain = holderOf(context, job, ranAs) !== undefined
  askSoon(job)
  return true
}

/** Lets the monitor ask the scheduler about this job at its next turn. */
export function askSoon(job: Job): void {
  job.newsAtMs = 0
}

const RETRY_MS = 2000
/** Jobs of which something could not be recorded: said once. */
const unrecorded = new WeakSet<Job>()

/**
 * Runs a judgement under the job's lock. What cannot be recorded now (a full disk) is judged again when the monitor comes to it, soon: nobody
 * waits for that, as the next job may do better.
 */
async function underLock(
  context: ManagerContext,
  jobId: string,
  task: (job: Job) => Promise<void>,
): Promise<void> {
  let job: Job | undefined
  try {
    await context.lock.run(jobId, async () => {
      job = context.jobs.get(jobId)
      if (!job) return
      await task(job)
      unrecorded.delete(job)
    })
  } catch (error) {
    if (job) judgeAgain(context, job, error)
  }
}

function judgeAgain(context: ManagerContext, job: Job, error: unknown): void {
  job.waitsFor = `its state is recorded as soon as that can be done: ${messageOf(error)}`
  if (!unrecorded.has(job))
    context.log.error({ job: job.id }, `cannot record the job's state, trying again: ${messageOf(error)}`)
  unrecorded.add(job)
  void pause(RETRY_MS, context.signal).then(() => askSoon(job))
}
