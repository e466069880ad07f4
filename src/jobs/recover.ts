import path from 'node:path'
import { mayPass, messageOf } from '../lib/errors.js'
import { backoffMs, pause } from '../lib/timing.js'
import { SchedulerDown } from '../schedulers/scheduler.js'
import { STARTED_FILE } from '../schedulers/started-file.js'
import { loadBegins } from './begin-note.js'
import { disk } from './disk/disk.js'
import { finishJob } from './finish.js'
import { takeIdFromOthers } from './given-again.js'
import { changeStatus, directoryOf, type Job, jobFromRecord, type ManagerContext } from './job.js'
import { noteEvent } from './journal/note.js'
import { askSoon, noteEnded } from './judge.js'
import { submissionOf } from './launch.js'
import { activeKey, type JobRecord } from './record.js'
import { stopJob } from './stop.js'
import { forgetStrayNotes } from './transfer-notes.js'
import { endCutOff, wentDown } from './went-down.js'

/**
 * After a restart, what we recorded × what is there decides (the second written table):
 *
 * | record | script's end is announced | the scheduler has it | then |
 * | --- | --- | --- | --- |
 * | alive | yes | – | finish from its return code |
 * | alive, may have begun before the machine went down | – | – | lost, or failed unless its results are known to be on the disk |
 * | alive | no | yes | adopt: go on watching it |
 * | alive | no | no | launch it: it was never handed over, or its script refuses a second run (as does the monitor: launch-again.ts) |
 * | alive, its inputs not all fetched | – | no | fetch the rest, then launch it |
 * | ended, its outputs not all delivered | – | – | deliver the rest |
 * | alive, the scheduler gave its id to another job | – | – | as one that the monitor learns is forgotten |
 * | alive, directory gone | – | – | lost |
 * | cancelled, not yet stopped | – | yes | stop it again |
 * | cancelled, not yet stopped | – | no | over |
 *
 * Deliveries begin at once. Resolves with what else is to be done, in the order of the jobs' submits. A scheduler that is down is asked until it answers.
 */
export async function recoverJobs(
  context: ManagerContext,
  // Not those that are submitted from now on.
  jobs: readonly Job[] = [...context.jobs.values()],
): Promise<OpenWork> {
  const earlier = [...jobs].sort((a, b) => a.sequence - b.sequence)
  const delivering = new Set<Job>()
  for (let attempt = 0; ; attempt++) {
    try {
      return await takeUp(context, earlier, delivering)
    } catch (error) {
      if (!mayPass(error) || context.signal.aborted) throw error
      if (attempt === 0) context.log.error(`cannot take up earlier jobs, trying again: ${messageOf(error)}`)
      await pause(backoffMs(attempt, 500, 30_000), context.signal)
    }
  }
}

/** @param delivering jobs whose deliveries an earlier attempt has begun */
async function takeUp(
  context: ManagerContext,
  earlier: readonly Job[],
  delivering: Set<Job>,
): Promise<OpenWork> {
  for (const jobId of await context.events.listEnded()) {
    if (context.jobs.has(jobId)) await noteEnded(context, jobId)
    else if (!(await disk.exists(directoryOf(context, jobId).path))) await context.events.forget(jobId)
  }
  const open: Job[] = []
  for (const job of earlier) {
    if (context.jobs.get(job.id) !== job) continue
    if (await disk.exists(job.directory.path)) {
      // A Python server lets everybody read it, as this one once did.
      await disk.makeFilePrivate(job.directory.launchConfig)
      open.push(job)
    } else await context.lock.run(job.id, () => giveUp(context, job))
  }
  for (const job of open) {
    if (!wentDown(context, job)) continue
    await context.lock.run(job.id, () => endCutOff(context, job))
  }
  const stillOpen = open.filter((job) => context.jobs.get(job.id) === job)
  const toDeliver = stillOpen.filter((job) => job.end !== undefined && !job.stopping)
  // That needs no scheduler.
  for (const job of toDeliver) {
    if (delivering.has(job)) continue
    delivering.add(job)
    context.deliver(job)
  }
  const ran = stillOpen.filter((job) => job.end === undefined || job.stopping)
  // Before the scheduler is asked: what begins meanwhile it has.
  const begun = new Set<Job>()
  for (const job of ran) {
    // Of one that is closed to us the journal does not say that it has begun.
    const hasBegun = await disk.exists(path.join(job.directory.path, STARTED_FILE)).catch(passOver)
    if (hasBegun) begun.add(job)
  }
  const found = await askScheduler(
    context,
    ran.filter((job) => !job.idGivenAgain),
  )
  // Has not ended meanwhile, nor was it cancelled and is over.
  const isOpen = (job: Job): boolean => context.jobs.get(job.id) === job && (!job.end || job.stopping)
  const asked = ran.filter((job) => isOpen(job) && !job.idGivenAgain)
  for (const job of asked) job.externalId = found.get(job.id)
  // Before anything is asked or stopped by it. Of two whose records or files name one id the later has it.
  for (const job of asked.reverse()) if (!job.idGivenAgain) takeIdFromOthers(context, job)
  const toLaunch: Job[] = []
  const toBringIn: Job[] = []
  for (const job of ran) {
    if (!isOpen(job)) continue
    if (job.idGivenAgain) {
      if (job.stopping) await context.lock.run(job.id, () => stopJob(context, job))
      else askSoon(job)
      continue
    }
    const { externalId } = job
    if (externalId !== undefined) noteEvent(context, job.id, { kind: 'found-again', externalId })
    if (job.stopping) await context.lock.run(job.id, () => stopJob(context, job))
    else if (externalId === undefined && job.stagesIn) toBringIn.push(job)
    else if (externalId === undefined) {
      toLaunch.push(job)
      const where = context.bootId === '' ? {} : { local: true as const }
      noteEvent(context, job.id, { kind: 'launch-again', began: begun.has(job), ...where })
    }
    askSoon(job)
  }
  if (open.length > 0) {
    context.log.info(
      `${open.length} unfinished jobs found: ${ran.length - toLaunch.length - toBringIn.length} handed over before, ${toLaunch.length} to launch, ${toBringIn.length} to fetch inputs for, ${toDeliver.length} to deliver outputs of`,
    )
  }
  return { toLaunch, toBringIn }
}

/** What an earlier server left to do. */
export interface OpenWork {
  readonly toLaunch: readonly Job[]
  readonly toBringIn: readonly Job[]
}

/** All jobs which an earlier server left unfinished. */
export async function loadRecords(context: ManagerContext): Promise<void> {
  for await (const [, record] of context.store.entries<JobRecord>(activeKey(context.config.name, ''))) {
    const job = jobFromRecord(context, record)
    context.jobs.set(job.id, job)
    if (!job.stagesIn) changeStatus(context, job, 'queued')
  }
  await loadBegins(context)
  await forgetStrayNotes(context.store, context.config.name, (jobId) => context.jobs.has(jobId))
}

function passOver(error: unknown): undefined {
  if (mayPass(error)) throw error
}

async function giveUp(context: ManagerContext, job: Job): Promise<void> {
  if (job.stopping) return stopJob(context, job)
  return finishJob(context, job, { status: 'lost', reason: 'Its job directory is gone.' })
}

async function askScheduler(
  context: ManagerContext,
  jobs: readonly Job[],
): Promise<ReadonlyMap<string, string>> {
  const requests = jobs.map((job) => ({ ...submissionOf(context, job), externalId: job.externalId }))
  if (requests.length === 0) return new Map()
  for (let attempt = 0; !context.signal.aborted; attempt++) {
    try {
      const found = await context.scheduler.recover(requests, context.signal)
      for (const job of jobs) job.waitsFor = undefined
      return found
    } catch (error) {
      if (!(error instanceof SchedulerDown)) throw error
      for (const job of jobs) job.waitsFor = `taken up when the scheduler answers: ${error.message}`
      if (attempt === 0)
        context.log.warn(
          `the scheduler does not answer; jobs of before the restart wait for it: ${error.message}`,
        )
      await pause(backoffMs(attempt, 500, 30_000), context.signal)
    }
  }
  return new Map()
}
