import { mayPass, messageOf } from '../lib/errors.js'
import { backoffMs, pause } from '../lib/timing.js'
import {
  SchedulerClosed,
  SchedulerDown,
  type Submission,
  type SubmitParams,
} from '../schedulers/scheduler.js'
import { noteBegin } from './begin-note.js'
import type { JobDirectory } from './directory.js'
import { disk } from './disk/disk.js'
import { finishJob } from './finish.js'
import { takeIdFromOthers } from './given-again.js'
import { type Job, type ManagerContext, recordOf } from './job.js'
import { noteEvent } from './journal/note.js'
import { activeKey } from './record.js'
import { hasRequirements } from './requirements.js'
import { buildJobScript } from './script.js'
import { stopJob } from './stop.js'
import type { SubmitRequest } from './types.js'

export const RETRY_FIRST_MS = 500
export const RETRY_MAX_MS = 30_000

/** The job as the scheduler gets it. */
export function submissionOf(context: ManagerContext, job: Job): Submission {
  const { directory } = job
  return {
    jobId: job.id,
    name: jobName(context.config.jobNameTemplate, job.id, directory),
    directory: directory.path,
    script: directory.script,
    workingDirectory: directory.working,
    stdout: directory.jobStdout,
    stderr: directory.jobStderr,
    ...(context.bootId === '' ? {} : { willStart: () => noteBegin(context, job) }),
  }
}

/** `$name` and `${name}` of the template; unknown names stay (pulsar/managers/base/base_drmaa.py). */
function jobName(template: string, jobId: string, directory: JobDirectory): string {
  const values: Record<string, string> = {
    job_id: jobId,
    working_directory: directory.working,
    metadata_directory: directory.metadata,
  }
  return template.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (whole, braced?: string, bare?: string) => values[braced ?? bare ?? ''] ?? whole,
  )
}

/** What a job is launched with. */
export interface Launch {
  /** What it is to run; undefined: as its launch_config says. */
  readonly request: SubmitRequest | undefined
  /** Shell lines that provide what its tool requires; undefined: nobody has looked yet whether it requires anything. */
  readonly environment: readonly string[] | undefined
}

/**
 * Writes the job script and hands it to the scheduler. A scheduler that is down is tried again for as long as it takes;
 * anything else that goes wrong fails the job with its reason. Never rejects.
 * @returns the description of requirements, when they are to be provided first; or that the scheduler takes no such job for now, but
 * may take others: the job is not launched then
 */
export async function launchJob(
  context: ManagerContext,
  job: Job,
  { request, environment }: Launch,
): Promise<{ readonly requires: unknown } | { readonly isClosed: true } | undefined> {
  const log = context.log.child({ job: job.id })
  try {
    const launch = request ?? (await readLaunch(job))
    const description = launch.dependencies_description
    if (environment === undefined && context.dependencies && hasRequirements(description))
      return { requires: description }
    await writeScript(context, job, launch, environment ?? [])
    for (let attempt = 0; !context.signal.aborted && !job.stopping; attempt++) {
      try {
        job.externalId = await context.scheduler.submit(submissionOf(context, job), context.signal)
        takeIdFromOthers(context, job)
        job.waitsFor = undefined
        break
      } catch (error) {
        if (!(error instanceof SchedulerDown)) throw error
        const words = `not handed over yet, tried again until the scheduler takes it: ${error.message}`
        job.waitsFor = words
        if (error instanceof SchedulerClosed) return { isClosed: true }
        // They wait behind this one.
        for (const other of context.jobs.values())
          if (other.externalId === undefined && !other.end && !other.stagesIn) other.waitsFor ??= words
        if (attempt === 0)
          log.warn(`not handed over yet, trying again until the scheduler answers: ${error.message}`)
        await pause(backoffMs(attempt, RETRY_FIRST_MS, RETRY_MAX_MS), context.signal)
      }
    }
    if (job.externalId === undefined) {
      if (job.stopping) await context.lock.run(job.id, () => stopJob(context, job))
      return undefined
    }
    job.newsAtMs = Date.now()
    log.info({ externalId: job.externalId }, 'launched')
    // Its end may have been seen before the answer: then that is what the journal has.
    if (context.jobs.get(job.id) === job)
      noteEvent(context, job.id, { kind: 'launched', externalId: job.externalId })
    await context.lock.run(job.id, () => recordLaunch(context, job))
  } catch (error) {
    if (error instanceof LaunchUnread) {
      const words = `not launched yet, tried again until that can be read: ${error.message}`
      if (job.waitsFor !== words) log.warn(words)
      job.waitsFor = words
      return { isClosed: true }
    }
    await abandonLaunch(context, job, `The job could not be launched: ${messageOf(error)}`)
  }
  return undefined
}

/**
 * The job fails with what kept it from being launched, as soon as that can be recorded; one that was cancelled meanwhile is over. Never rejects.
 */
export async function abandonLaunch(context: ManagerContext, job: Job, reason: string): Promise<void> {
  for (let attempt = 0; !context.signal.aborted; attempt++) {
    try {
      await context.lock.run(job.id, () =>
        job.stopping ? stopJob(context, job) : failLaunch(context, job, reason),
      )
      return
    } catch (problem) {
      // A full disk, which most likely also kept it from being launched.
      if (attempt === 0)
        context.log.error(
          { job: job.id },
          `cannot record that the launch failed (${reason}), trying again: ${messageOf(problem)}`,
        )
      await pause(backoffMs(attempt, RETRY_FIRST_MS, RETRY_MAX_MS), context.signal)
    }
  }
}

/** What an older Python server may not have written. */
const NOTHING_MORE = { submit_params: {}, dependencies_description: null, setup_params: {}, env: [] } as const

/** What a job is to run is there, and cannot be read at least now. */
export class LaunchUnread extends Error {}

/**
 * What the job is to run, as its launch_config says. @throws LaunchUnread; Error when that is gone, or damaged
 */
export async function readLaunch(job: Job): Promise<SubmitRequest> {
  const { config, problem, isUnread } = await disk
    .probeLaunchConfig(job.directory.path)
    .catch((error: unknown): never => {
      throw mayPass(error) ? new LaunchUnread(`its launch_config: ${messageOf(error)}`) : error
    })
  if (isUnread) throw new LaunchUnread(`its launch_config ${problem}`)
  if (!config) throw new Error(`its launch_config in the job directory ${problem}`)
  return { ...NOTHING_MORE, ...(config as unknown as SubmitRequest) }
}

/** The same, for as long as it takes to read it. @throws as readLaunch, or the signal's reason */
export async function readLaunchInTime(context: ManagerContext, job: Job): Promise<SubmitRequest> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await readLaunch(job)
    } catch (error) {
      if (!(error instanceof LaunchUnread) || job.stopping) throw error
      job.waitsFor = `waits until that can be read: ${error.message}`
      if (attempt === 0) context.log.warn({ job: job.id }, job.waitsFor)
      await pause(backoffMs(attempt, RETRY_FIRST_MS, RETRY_MAX_MS), context.signal)
      context.signal.throwIfAborted()
    }
  }
}

async function writeScript(
  context: ManagerContext,
  job: Job,
  launch: SubmitRequest,
  environment: readonly string[],
): Promise<void> {
  const { directory } = job
  const headers = context.scheduler.headers(submissionOf(context, job), textParams(launch.submit_params))
  const script = buildJobScript({
    directory,
    launch,
    manager: context.config,
    metrics: context.metrics,
    headers,
    environment,
    startedEvent: context.events.file('started', job.id),
    endedEvent: context.events.file('ended', job.id),
  })
  await disk.writeScript(directory.script, script)
}

function textParams(params: Record<string, unknown> | null | undefined): SubmitParams {
  return Object.fromEntries(Object.entries(params ?? {}).map(([key, value]) => [key, String(value)]))
}

async function recordLaunch(context: ManagerContext, job: Job): Promise<void> {
  if (job.stopping) return stopJob(context, job)
  if (context.jobs.get(job.id) !== job) return
  // The local scheduler's external ids are job ids: nothing new to record.
  if (job.externalId === job.id) return
  // Lost in a power cut, it is found again through the job's name and files.
  const change = { type: 'put', key: activeKey(context.config.name, job.id), value: recordOf(job) } as const
  await context.store.write([change], { lazy: true })
}

/**
 * A job that never ran. As the Python server does, and beyond it the reason reaches the client's stderr (job-lifecycle §4).
 * Call under the job's lock.
 */
export async function failLaunch(context: ManagerContext, job: Job, reason: string): Promise<void> {
  await disk.writeFlags(job.directory.path, { preprocessing_failed: true })
  await finishJob(context, job, { status: 'failed', reason, exitCode: 1 })
}
