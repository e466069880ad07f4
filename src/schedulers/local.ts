/**
 * The local scheduler (queued_python, unqueued): a queue in memory, processes that outlive the server, and J/started
 * in each job directory, from which the processes are found again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { mayPass, messageOf } from '../lib/errors.js'
import { createLimit } from '../lib/limit.js'
import type { Logger } from '../lib/log.js'
import { untilAborted } from '../lib/until-aborted.js'
import { askPatiently, type Patience } from './ask-patiently.js'
import { ENDED_UNSEEN, isForeignScript } from './foreign-process.js'
import type { StartedScript } from './job-runner.js'
import { explainStuck } from './job-runner-failure.js'
import { shareJobRunner } from './job-runner-shared.js'
import { jobMarker } from './local-environment.js'
import { awaitExitStatus, readExitStatus } from './local-exit-status.js'
import { removePidFile, writePidFile } from './local-pid-file.js'
import { findRunner } from './local-runner.js'
import { bootId, identify, isAlive } from './process-table.js'
import { killTree } from './process-tree.js'
import { endOf, mayLive, newEntry, type RunningJob, runnerOf } from './running-job.js'
import { type Scheduler, SchedulerDown, type SchedulerReport, type Submission } from './scheduler.js'
import type { ProcessIdentity } from './started-file.js'

export interface LocalOptions {
  /** How many jobs run at once; Infinity: no limit, 0: none ever. */
  readonly limit: number
  /** Between SIGTERM and SIGKILL of a cancelled job. */
  readonly killGraceMs?: number
  /** How often adopted processes (not our children) are looked at. */
  readonly watchIntervalMs?: number
}

/** Reports of ended jobs kept for states(); the jobs room asks within a moment of onChange. */
const MAX_ENDED = 5000
/** Starts under way at once: what the job runner is asked for and has not done yet. */
const MAX_STARTING = 8
/** How long the end waits for these. */
const START_WAIT_MS = 1000
/** Job directories read at once after a restart. */
const MAX_RECOVERING = 16

export function createLocalScheduler(options: LocalOptions, log: Logger): Scheduler {
  const { limit, killGraceMs = 5000, watchIntervalMs = 250 } = options
  const queue = new Map<string, Submission>()
  const running = new Map<string, RunningJob>()
  const adopted = new Set<RunningJob>()
  const ended = new Map<string, SchedulerReport>()
  const listeners = new Set<(externalId: string) => void>()
  const closing = new AbortController()
  const runner = shareJobRunner(log)
  let starting = 0
  let watcher: NodeJS.Timeout | undefined

  function announce(jobId: string): void {
    for (const listener of listeners) listener(jobId)
  }

  function pump(): void {
    for (const [jobId, job] of queue) {
      if (closing.signal.aborted || running.size >= limit || starting >= MAX_STARTING) return
      queue.delete(jobId)
      const entry = newEntry(job, undefined)
      running.set(jobId, entry)
      starting += 1
      entry.starting = start(entry)
        .catch((error: unknown) => finish(entry, { state: 'ended', failure: messageOf(error) }))
        .finally(() => {
          starting -= 1
          pump()
        })
    }
  }

  async function start(entry: RunningJob): Promise<void> {
    const { job } = entry
    await job.willStart?.()
    const script = await runner.start(job)
    if (script.pid === undefined) return whileOpen(follow(entry, script))
    const { pid } = script
    entry.process = await askPatiently(() => identify(pid), patienceFor(job)).catch(() => undefined)
    entry.process ??= { pid, startTime: '0', bootId: '' }
    void whileOpen(follow(entry, script))
    announce(job.jobId)
  }

  /** What is cut off by our end the next server finds out. */
  async function whileOpen(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (!closing.signal.aborted) throw error
    }
  }

  async function follow(entry: RunningJob, script: StartedScript): Promise<void> {
    const exitCode = await script.ended
    if (closing.signal.aborted) return
    if (exitCode !== undefined)
      return finish(entry, { ...(await endOf(entry, exitCode, patienceFor(entry.job))), exitCode })
    // Our start came second (an earlier server had started the script and died before that could be seen: that run
    // counts), or whoever waited for the script was killed.
    const process = await askPatiently(() => runnerOf(entry), patienceFor(entry.job))
    if (process) {
      await writePidFile(entry.job.directory, process.pid).catch(() => {})
      adopt(entry, process)
    } else {
      await settle(entry)
    }
  }

  /** The end of a script that was not reported to us. */
  async function settle(entry: RunningJob): Promise<void> {
    const { directory, script } = entry.job
    const status = await awaitExitStatus(directory, patienceFor(entry.job))
    // Counts only where there is no code.
    const why = (await isForeignScript(script)) ? { unexplained: ENDED_UNSEEN } : {}
    await finish(entry, {
      ...(await endOf(entry, status.exitCode, patienceFor(entry.job))),
      ...status,
      ...why,
    })
  }

  async function finish(entry: RunningJob, report: SchedulerReport): Promise<void> {
    // The place is free only when nothing of a cancelled job is left.
    await entry.killing
    const { jobId, directory } = entry.job
    await removePidFile(directory)
    if (closing.signal.aborted) return
    adopted.delete(entry)
    running.delete(jobId)
    remember(jobId, report)
    announce(jobId)
    pump()
  }

  function remember(jobId: string, report: SchedulerReport): void {
    ended.delete(jobId)
    ended.set(jobId, report)
    for (const oldest of ended.keys()) {
      if (ended.size <= MAX_ENDED) break
      ended.delete(oldest)
    }
  }

  function adopt(entry: RunningJob, process: ProcessIdentity): void {
    entry.process = process
    running.set(entry.job.jobId, entry)
    adopted.add(entry)
    watcher ??= setInterval(watch, watchIntervalMs).unref()
  }

  function watch(): void {
    for (const entry of adopted) {
      if (mayLive(entry)) continue
      adopted.delete(entry)
      void whileOpen(settle(entry))
    }
    if (adopted.size === 0) {
      clearInterval(watcher)
      watcher = undefined
    }
  }

  /** Whether the job's script ever began to run. */
  async function recoverJob(job: Submission): Promise<boolean> {
    if (running.has(job.jobId)) return true
    const process = await findRunner(job)
    if (process === 'none') return false
    if (process && isAlive(process)) {
      adopt(newEntry(job, process), process)
      return true
    }
    const status = await readExitStatus(job.directory)
    if (!status && process?.bootId === bootId()) {
      // It may have ended just now.
      const entry = newEntry(job, process)
      running.set(job.jobId, entry)
      void whileOpen(settle(entry))
    } else {
      await removePidFile(job.directory)
      remember(job.jobId, { state: 'ended', ...status })
    }
    return true
  }

  function stateOf(jobId: string): SchedulerReport {
    const entry = running.get(jobId)
    if (queue.has(jobId) || (entry && !entry.process)) return { state: 'queued' }
    if (entry) return { state: 'running' }
    return ended.get(jobId) ?? { state: 'gone' }
  }

  async function kill(entry: RunningJob, process: ProcessIdentity): Promise<void> {
    const { jobId, workingDirectory } = entry.job
    const root = { pid: process.pid, startTime: Number(process.startTime) }
    const options = {
      graceMs: killGraceMs,
      marker: jobMarker(workingDirectory),
      hurry: closing.signal,
    }
    const left = await askPatiently(() => killTree(root, options), patienceFor(entry.job)).catch(() => [])
    if (left.length > 0)
      log.warn({ job: jobId }, `processes of the cancelled job survive: ${left.join(', ')}`)
  }

  function patienceFor({ jobId }: Submission): Patience {
    return { jobId, log, signal: closing.signal }
  }

  return {
    headers: () => [],
    async submit(job) {
      if (queue.has(job.jobId) || running.has(job.jobId)) return job.jobId
      ended.delete(job.jobId)
      queue.set(job.jobId, job)
      pump()
      return job.jobId
    },
    async states(externalIds) {
      return new Map(externalIds.map((id) => [id, stateOf(id)]))
    },
    async cancel(jobId, signal) {
      if (queue.delete(jobId)) return
      const entry = running.get(jobId)
      if (!entry) return
      await entry.starting
      if (!entry.process || running.get(jobId) !== entry) return
      entry.killing ??= kill(entry, entry.process)
      await untilAborted(entry.killing, signal)
    },
    async recover(jobs, signal) {
      const found = new Map<string, string>()
      const limited = createLimit(MAX_RECOVERING)
      await Promise.all(
        jobs.map((job) =>
          limited(async () => {
            signal.throwIfAborted()
            if (await recoverJob(job).catch(asDown)) found.set(job.jobId, job.jobId)
          }),
        ),
      )
      return found
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    pollIntervalMs: () => Number.POSITIVE_INFINITY,
    async probe() {
      const many = limit === Number.POSITIVE_INFINITY ? 'no limit' : `${limit} at a time`
      if (limit === 0)
        return {
          ok: false,
          summary: 'local, no job ever runs',
          detail: 'num_concurrent_jobs is 0; set it to 1 or more.',
        }
      const stuck = runner.stuck()
      if (stuck)
        return {
          ok: false,
          summary: `local, ${many}: jobs are queued, but nothing is being started`,
          detail: explainStuck(stuck),
        }
      return { ok: true, summary: `local, ${many}` }
    },
    async close() {
      closing.abort()
      clearInterval(watcher)
      listeners.clear()
      queue.clear()
      // What has been handed to the runner begins to run, and whoever comes next must be able to see that.
      const starts = Promise.all([...running.values()].map((entry) => entry.starting))
      const longest = new AbortController()
      void starts.finally(() => longest.abort())
      await sleep(START_WAIT_MS, undefined, { signal: longest.signal }).catch(() => {})
      runner.close()
      await Promise.all([...running.values()].map((entry) => entry.killing))
    },
  }
}

/** Nothing is known of a job when the system cannot answer. */
function asDown(error: unknown): never {
  throw mayPass(error) ? new SchedulerDown(messageOf(error)) : error
}
