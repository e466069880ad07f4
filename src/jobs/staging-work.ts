import { messageOf } from '../lib/errors.js'
import { createLimit } from '../lib/limit.js'
import { pause } from '../lib/timing.js'
import { noteSynced } from './begin-note.js'
import { finishJob, writeEnd } from './finish.js'
import { changeStatus, type Job, type ManagerContext, recordOf } from './job.js'
import { journaled } from './journal/note.js'
import { failLaunch, readLaunchInTime } from './launch.js'
import type { LaunchQueue } from './launch-queue.js'
import { createLiveOutput, type LiveOutput } from './live-output.js'
import { activeKey, type JobEnd } from './record.js'
import { stageIn } from './stage-in.js'
import { stageOut } from './stage-out.js'
import { stopJob } from './stop.js'
import { syncResults } from './sync-results.js'
import { forgetTransfers } from './transfer-notes.js'
import { isDone } from './transitions.js'
import type { SubmitRequest } from './types.js'

/** The two phases in which files of a job travel; both go on after a restart. */
export interface StagingWork {
  /** Fetches the job's inputs, then launches it. */
  bringIn(job: Job, request?: SubmitRequest): void
  /** Delivers the job's outputs, then ends it as `job.end` says. */
  deliver(job: Job): void
  /** The job runs: what it writes is sent on, where that is asked for. */
  watch(jobId: string): void
  /** The job was cancelled: nothing of it travels any more. */
  stop(job: Job): void
  settled(): Promise<void>
}

const RETRY_MS = 2000
/** After so long a delivery is one that takes long. */
const KEEP_AFTER_MS = 2000
/** One at a time: nobody waits for these. */
const keeping = createLimit(1)

export function createStagingWork(context: ManagerContext, launches: LaunchQueue): StagingWork {
  const working = new Set<Promise<void>>()
  const live = createLiveOutput(context)
  const delivering = new Set<Job>()
  const start = (work: Promise<void>): void => {
    working.add(work)
    void work.finally(() => working.delete(work))
  }
  return {
    bringIn: (job, request) => start(bringIn(context, job, request, launches)),
    deliver(job) {
      // At a start the script's announcement and the record may both say that it has ended.
      if (delivering.has(job) || isDone(job.status)) return
      delivering.add(job)
      start(deliver(context, job, live).finally(() => delivering.delete(job)))
    },
    watch(jobId) {
      const job = context.jobs.get(jobId)
      if (job) live.watch(job)
    },
    stop(job) {
      job.moving?.abort(new Error('cancelled'))
      start(live.forget(job).catch((error: unknown) => context.log.warn({ job: job.id }, messageOf(error))))
    },
    async settled() {
      await Promise.all(working)
    },
  }
}

async function bringIn(
  context: ManagerContext,
  job: Job,
  request: SubmitRequest | undefined,
  launches: LaunchQueue,
): Promise<void> {
  let failure: string | undefined
  try {
    const moving = startMoving(context, job)
    await stageIn(context, job, request ?? (await readLaunchInTime(context, job)), moving)
  } catch (error) {
    if (context.signal.aborted) return
    failure = `Its inputs could not be fetched: ${messageOf(error)}`
  } finally {
    job.moving = undefined
  }
  await untilRecorded(context, job, async () => {
    if (job.stopping) return stopJob(context, job)
    if (failure !== undefined) return failLaunch(context, job, failure)
    // Forgotten in a power cut, it is found out again: the files are there.
    const value = recordOf({ ...job, stagesIn: false })
    const key = activeKey(context.config.name, job.id)
    await context.store.write(
      [{ type: 'put', key, value }, journaled(context, job.id, { kind: 'staged-in' })],
      { lazy: true },
    )
    if (!job.stagesOut) await forgetTransfers(context.store, context.config.name, job.id, { lazy: true })
    job.stagesIn = false
    changeStatus(context, job, 'queued')
    launches.add(job, request)
  })
}

/**
 * The job has run. Its outputs are delivered now, not when somebody asks; until then it is `postprocessing`. What is recorded
 * here is found again after a restart. Call under the job's lock. @throws when it cannot be recorded
 */
export async function endRun(context: ManagerContext, job: Job, end: JobEnd): Promise<void> {
  if (context.jobs.get(job.id) !== job || isDone(job.status) || job.end !== undefined) return
  if (!job.stagesOut || end.status === 'lost') return finishJob(context, job, end)
  await writeEnd(context, job, end.reason, end.exitCode)
  const value = { ...recordOf(job, { status: 'postprocessing' }), end }
  const returnCode = end.returnCode ?? end.exitCode
  await context.store.write([
    { type: 'put', key: activeKey(context.config.name, job.id), value },
    journaled(context, job.id, {
      kind: 'ran',
      status: end.status,
      ...(returnCode === undefined ? {} : { returnCode }),
    }),
  ])
  job.end = end
  // The scheduler has nothing more to say about it.
  job.ranAs = job.externalId
  job.externalId = undefined
  changeStatus(context, job, 'postprocessing')
  context.deliver(job)
}

async function deliver(context: ManagerContext, job: Job, live: LiveOutput): Promise<void> {
  let failure: string | undefined
  try {
    const moving = startMoving(context, job)
    void keepResults(context, job, moving)
    await live.finish(job).catch((error: unknown) => {
      context.log.warn({ job: job.id }, `the rest of its output was not sent: ${messageOf(error)}`)
    })
    failure = await stageOut(context, job, moving)
  } catch (error) {
    if (context.signal.aborted) return
    failure = `The job's outputs could not be delivered to Galaxy: ${messageOf(error)}`
  } finally {
    job.moving = undefined
  }
  const end = job.end ?? { status: 'complete' }
  await untilRecorded(context, job, () => {
    if (job.stopping) return stopJob(context, job)
    if (failure === undefined) return finishJob(context, job, end)
    const reason = end.reason === undefined ? failure : `${end.reason}\n${failure}`
    return finishJob(context, job, { ...end, status: 'failed', reason })
  })
}

/**
 * A delivery that takes long goes on after a loss of power, when what it sends had been put on the disk. Those that are through in a
 * moment are not worth a sync. Never rejects.
 */
async function keepResults(context: ManagerContext, job: Job, signal: AbortSignal): Promise<void> {
  if (!job.begin || job.begin.synced) return
  await pause(KEEP_AFTER_MS, signal)
  const isOpen = (): boolean => !signal.aborted && context.jobs.get(job.id) === job
  try {
    await keeping(async () => {
      if (isOpen() && (await syncResults(job.directory.path)) && isOpen()) await noteSynced(context, job)
    })
  } catch (error) {
    context.log.warn({ job: job.id }, `its results could not be put on the disk: ${messageOf(error)}`)
  }
}

function startMoving(context: ManagerContext, job: Job): AbortSignal {
  job.moving = new AbortController()
  // A cancel may have come before.
  if (job.stopping) job.moving.abort(new Error('cancelled'))
  return AbortSignal.any([context.signal, job.moving.signal])
}

/** What cannot be recorded now (a full disk) is recorded later. */
async function untilRecorded(context: ManagerContext, job: Job, task: () => Promise<void>): Promise<void> {
  for (let attempt = 0; !context.signal.aborted; attempt++) {
    try {
      await context.lock.run(job.id, task)
      return
    } catch (error) {
      if (attempt === 0)
        context.log.error(
          { job: job.id, err: error },
          `cannot record the job's state, trying again: ${messageOf(error)}`,
        )
      await pause(RETRY_MS, context.signal)
    }
  }
}
