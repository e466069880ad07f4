import { setMaxListeners } from 'node:events'
import type { ManagerConfig, MetricPluginConfig } from '../config/types.js'
import type { Dependencies } from '../dependencies/dependencies.js'
import { messageOf } from '../lib/errors.js'
import { makeDirectories } from '../lib/fs.js'
import { createKeyedLock } from '../lib/keyed-lock.js'
import type { Logger } from '../lib/log.js'
import { createRecent } from '../lib/recent.js'
import { isLocal } from '../schedulers/index.js'
import { bootId } from '../schedulers/process-table.js'
import type { Scheduler } from '../schedulers/scheduler.js'
import type { HttpClient } from '../staging/http-client.js'
import type { TransferQueue } from '../staging/transfer-queue.js'
import type { Store } from '../store/store.js'
import { INDEX_KINDS, indexDirectory, type ManagerContext, type StatusChange } from './job.js'
import { createJobManager } from './job-manager.js'
import { noteEvent } from './journal/note.js'
import { askSoon, noteEnded, noteReport, noteStarted } from './judge.js'
import { createLaunchQueue } from './launch-queue.js'
import { parkJobs } from './park.js'
import { loadRecords, recoverJobs } from './recover.js'
import { createRetryLog } from './retry-log.js'
import { watchScriptEvents } from './script-events.js'
import { createStagingWork } from './staging-work.js'
import { letCancel } from './stop.js'
import { takeOver } from './take-over.js'
import { isDone } from './transitions.js'
import { openTrash } from './trash.js'
import type { JobManager } from './types.js'

export interface ManagerParts {
  readonly config: ManagerConfig
  /** Names of the other managers whose jobs are in the same staging directory; by default none. */
  readonly neighbours?: readonly string[]
  readonly version: string
  readonly scheduler: Scheduler
  readonly returnCodeWaitMs: number
  /** Of the machine that runs the jobs; by default this one, if it does. */
  readonly bootId?: string | undefined
  readonly metrics: readonly MetricPluginConfig[]
  /** undefined: what tools require is not looked at. */
  readonly dependencies?: Dependencies | undefined
  readonly store: Store
  readonly transfers: TransferQueue
  readonly http: HttpClient
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

const RECENT_JOBS = 1000
const LONGEST_LINE = 2000

/** Puts one manager together: its directories, its watch on job scripts, its jobs. */
export async function openManager(parts: ManagerParts): Promise<RunningManager> {
  const { config, scheduler, log } = parts
  const closing = new AbortController()
  // Each job that waits has one.
  setMaxListeners(0, closing.signal)
  const listeners = new Set<(change: StatusChange) => void>()
  let sequence = Date.now() * 1000
  await makeDirectories(config.stagingDirectory, config.jobDirectoryMode)
  if (parts.persistenceDirectory !== null) {
    for (const kind of INDEX_KINDS)
      await makeDirectories(indexDirectory(parts.persistenceDirectory, config.name, kind))
  }
  // Scripts of an earlier server's jobs may end at any moment; what comes before there are jobs is found by recover().
  let isOpen = false
  const events = await watchScriptEvents(config.stagingDirectory, log, (event, jobId) => {
    if (!isOpen || !context.jobs.has(jobId)) return
    if (event === 'started') void noteStarted(context, jobId)
    else void noteEnded(context, jobId)
  })
  const context: ManagerContext = {
    config,
    neighbours: parts.neighbours ?? [],
    version: parts.version,
    scheduler,
    returnCodeWaitMs: parts.returnCodeWaitMs,
    metrics: parts.metrics,
    dependencies: parts.dependencies,
    store: parts.store,
    transfers: parts.transfers,
    http: parts.http,
    retries: createRetryLog(log),
    relaunch: (job) => launches.add(job),
    bringIn: (job) => staging.bringIn(job),
    deliver: (job) => staging.deliver(job),
    stopMoving(job) {
      job.providing?.abort(new Error('cancelled'))
      staging.stop(job)
    },
    events,
    trash: await openTrash(config.stagingDirectory, config.jobDirectoryMode, log),
    persistenceDirectory: parts.persistenceDirectory ?? undefined,
    log,
    jobs: new Map(),
    bootId: parts.bootId ?? (isLocal(config) ? bootId() : ''),
    promised: new Set(),
    cancelling: new Set(),
    recentlySeen: createRecent(RECENT_JOBS),
    recentlyEnded: createRecent(RECENT_JOBS),
    lock: createKeyedLock(),
    signal: closing.signal,
    nextSequence: () => ++sequence,
    publish(change): void {
      const line = change.reason
        ? `${change.from} -> ${change.to}: ${change.reason}`
        : `${change.from} -> ${change.to}`
      const isBad = change.to === 'failed' || change.to === 'lost'
      // The first line says what; all of it is in the job's status.
      if (isBad) log.warn({ job: change.jobId }, (line.split('\n', 1)[0] ?? line).slice(0, LONGEST_LINE))
      else log.info({ job: change.jobId }, line)
      if (!isDone(change.to)) noteEvent(context, change.jobId, { kind: 'state', to: change.to })
      if (change.to === 'running') staging.watch(change.jobId)
      for (const listener of listeners) listener(change)
    },
  }
  isOpen = true
  const launches = createLaunchQueue(context)
  const staging = createStagingWork(context, launches)
  const stopListening = scheduler.onChange((externalId) => void reportOf(context, externalId))

  return {
    context,
    manager: createJobManager(context, launches, staging),
    onChange(listener): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async load(): Promise<void> {
      await loadRecords(context)
      await takeOver(context)
    },
    async recover(): Promise<void> {
      const { toLaunch, toBringIn } = await recoverJobs(context)
      for (const job of toLaunch) launches.add(job)
      for (const job of toBringIn) staging.bringIn(job)
    },
    async close(): Promise<void> {
      await letCancel(context)
      closing.abort()
      stopListening()
      events.close()
      await scheduler.close()
      await staging.settled()
      await launches.settled()
      await parkJobs(context)
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
      : [...context.jobs.values()].find((each) => each.externalId === externalId && !each.idGivenAgain)
  if (!job || context.signal.aborted) return
  try {
    const report = (await context.scheduler.states([externalId], context.signal)).get(externalId)
    if (report) await noteReport(context, job.id, externalId, report)
  } catch (error) {
    context.log.warn({ job: job.id }, `cannot learn its state now, asking again: ${messageOf(error)}`)
    askSoon(job)
  }
}
