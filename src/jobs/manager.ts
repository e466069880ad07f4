import { randomUUID } from 'node:crypto'
import type { ManagerConfig, MetricPluginConfig } from '../config/types.js'
import { MagnetarError, messageOf } from '../lib/errors.js'
import { makeDirectories } from '../lib/fs.js'
import { createKeyedLock } from '../lib/keyed-lock.js'
import { createLimit } from '../lib/limit.js'
import type { Logger } from '../lib/log.js'
import { pause } from '../lib/timing.js'
import type { Scheduler } from '../schedulers/scheduler.js'
import type { Store, StoreChange } from '../store/store.js'
import { cancelJob } from './cancel.js'
import { isJobDirectory, isOurs, makeJobDirectory, writeFlag } from './directory.js'
import { finalDocument, setupDocument, unfinishedDocument } from './documents.js'
import { downloadSource, uploadTarget } from './file-types.js'
import { statusWithoutRecord } from './foreign-status.js'
import {
  directoryOf,
  INDEX_KINDS,
  indexDirectory,
  type Job,
  type ManagerContext,
  recordOf,
  type StatusChange,
} from './job.js'
import { checkJobId } from './job-id.js'
import { askSoon, noteEnded, noteReport, noteStarted } from './judge.js'
import { launchJob } from './launch.js'
import { activeKey, endedKey, type JobRecord } from './record.js'
import { loadRecords, recoverJobs } from './recover.js'
import { watchScriptEvents } from './script-events.js'
import { recordSubmit } from './submit.js'
import { isDone } from './transitions.js'
import { openTrash } from './trash.js'
import type { JobManager } from './types.js'

export interface ManagerParts {
  readonly config: ManagerConfig
  readonly version: string
  readonly scheduler: Scheduler
  readonly returnCodeWaitMs: number
  readonly metrics: readonly MetricPluginConfig[]
  readonly store: Store
  readonly persistenceDirectory: string | null
  readonly log: Logger
}

export interface RunningManager {
  readonly manager: JobManager
  readonly context: ManagerContext
  /** Calls back after each change of a job's status; returns how to stop that. */
  onChange(listener: (change: StatusChange) => void): () => void
  /** Reads the records of an earlier server: from then on its jobs have a status and are not submitted twice. */
  load(): Promise<void>
  /** Takes those jobs up; resolves when each is either watched or queued for launch, however long the scheduler is away. */
  recover(): Promise<void>
  /** Stops watching and launching. Running jobs go on. */
  close(): Promise<void>
}

/** How many launches (script written, job handed over) are under way at once. */
const LAUNCHES_AT_ONCE = 8

/** Puts one manager together: its directories, its watch on job scripts, its jobs. */
export async function openManager(parts: ManagerParts): Promise<RunningManager> {
  const { config, scheduler, log } = parts
  const closing = new AbortController()
  const listeners = new Set<(change: StatusChange) => void>()
  let sequence = Date.now() * 1000
  await makeDirectories(config.stagingDirectory, config.jobDirectoryMode)
  if (parts.persistenceDirectory !== null) {
    for (const kind of INDEX_KINDS)
      await makeDirectories(indexDirectory(parts.persistenceDirectory, config.name, kind))
  }
  const events = await watchScriptEvents(config.stagingDirectory, log, (event, jobId) => {
    if (!context.jobs.has(jobId)) return
    if (event === 'started') noteStarted(context, jobId)
    else void noteEnded(context, jobId)
  })
  const context: ManagerContext = {
    config,
    version: parts.version,
    scheduler,
    returnCodeWaitMs: parts.returnCodeWaitMs,
    metrics: parts.metrics,
    store: parts.store,
    events,
    trash: await openTrash(config.stagingDirectory, log),
    persistenceDirectory: parts.persistenceDirectory ?? undefined,
    log,
    jobs: new Map(),
    lock: createKeyedLock(),
    signal: closing.signal,
    nextSequence: () => ++sequence,
    publish(change): void {
      const line = change.reason
        ? `${change.from} -> ${change.to}: ${change.reason}`
        : `${change.from} -> ${change.to}`
      log.info({ job: change.jobId }, line)
      for (const listener of listeners) listener(change)
    },
  }
  const launchLimit = createLimit(LAUNCHES_AT_ONCE)
  const launches = new Set<Promise<void>>()
  const launch = (job: Job): void => {
    const launching = launchLimit(() => launchJob(context, job))
    launches.add(launching)
    void launching.finally(() => launches.delete(launching))
  }
  const stopListening = scheduler.onChange((externalId) => void reportOf(context, externalId))

  return {
    context,
    manager: createJobManager(context, launch),
    onChange(listener): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    load: () => loadRecords(context),
    async recover(): Promise<void> {
      for (const job of await recoverJobs(context)) launch(job)
    },
    async close(): Promise<void> {
      closing.abort()
      stopListening()
      events.close()
      await scheduler.close()
      await Promise.all([...launches, context.trash.settled()])
    },
  }
}

/** The scheduler has news of one job: fetch them. */
async function reportOf(context: ManagerContext, externalId: string): Promise<void> {
  // The local scheduler's external ids are job ids, so the first look mostly finds it.
  const namesake = context.jobs.get(externalId)
  const job =
    namesake?.externalId === externalId
      ? namesake
      : [...context.jobs.values()].find((each) => each.externalId === externalId)
  if (!job || context.signal.aborted) return
  try {
    const report = (await context.scheduler.states([externalId], context.signal)).get(externalId)
    if (report) await noteReport(context, job.id, report)
  } catch (error) {
    context.log.warn({ job: job.id }, `cannot learn its state now, asking again: ${messageOf(error)}`)
    askSoon(job)
  }
}

function createJobManager(context: ManagerContext, launch: (job: Job) => void): JobManager {
  const { config, store, version } = context
  return {
    name: config.name,
    async setup({ jobId, toolId = '', toolVersion = '' }) {
      const id = config.assignIds === 'uuid' ? randomUUID().replaceAll('-', '') : checkJobId(jobId)
      const directory = directoryOf(context, id)
      await makeJobDirectory(directory, config.jobDirectoryMode)
      await Promise.all([
        writeFlag(directory, 'tool_id', toolId),
        writeFlag(directory, 'tool_version', toolVersion),
      ])
      return setupDocument(directory, { id, toolId, toolVersion }, config, version)
    },
    async submit(jobId, request) {
      await untilGone(context, checkJobId(jobId))
      const job = await context.lock.run(jobId, () => recordSubmit(context, jobId, request))
      if (job) launch(job)
    },
    async status(jobId) {
      const directory = directoryOf(context, checkJobId(jobId))
      const known = context.jobs.get(jobId)?.status
      const status =
        known ??
        (await store.get<JobRecord>(endedKey(config.name, jobId)))?.status ??
        (await statusWithoutRecord(directory))
      if (!isDone(status)) return unfinishedDocument(jobId, status)
      return finalDocument(jobId, status, directory, config, version)
    },
    async cancel(jobId) {
      await context.lock.run(checkJobId(jobId), () => cancelJob(context, jobId))
    },
    async clean(jobId) {
      await context.lock.run(checkJobId(jobId), () => cleanJob(context, jobId))
    },
    async uploadPath(jobId, type, name) {
      const directory = directoryOf(context, checkJobId(jobId))
      const target = uploadTarget(directory.path, type, name)
      // A client with a jobs_directory uploads first and has the job set up by the submit.
      if (!(await isJobDirectory(directory))) await makeJobDirectory(directory, config.jobDirectoryMode)
      return target
    },
    downloadPath: (jobId, type, name) =>
      downloadSource(directoryOf(context, checkJobId(jobId)).path, type, name),
  }
}

const STOP_WAIT_MS = 20_000
const STOP_CHECK_MS = 50

/** A job that was cleaned while it ran may still be stopping: a new one of the same id waits for that. */
async function untilGone(context: ManagerContext, jobId: string): Promise<void> {
  const deadline = Date.now() + STOP_WAIT_MS
  while (context.jobs.get(jobId)?.cleaned) {
    if (Date.now() > deadline) {
      throw new MagnetarError(
        'JOB_STOPPING',
        'an earlier job of this id was cleaned while it ran and has not stopped yet',
      )
    }
    await pause(STOP_CHECK_MS, context.signal)
  }
}

/** Stops the job when it is still alive, then removes its directory, if that is ours, and its record. */
async function cleanJob(context: ManagerContext, jobId: string): Promise<void> {
  if (context.config.debug) return
  await cancelJob(context, jobId)
  const directory = directoryOf(context, jobId)
  if (await isOurs(directory)) await context.trash.discard(directory.path)
  const changes: StoreChange[] = [{ type: 'del', key: endedKey(context.config.name, jobId) }]
  const job = context.jobs.get(jobId)
  if (job) {
    job.cleaned = true
    changes.push({ type: 'put', key: activeKey(context.config.name, jobId), value: recordOf(job) })
  }
  await context.store.write(changes, { lazy: true })
  context.log.debug({ job: jobId }, 'cleaned')
}
