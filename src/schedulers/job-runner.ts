/**
 * Starts job scripts without forking the server, through a small helper process (docs/decisions/0005), and follows them
 * to their end, also when the helper or the process that waits for a script is killed.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { explainProblem, explainStuck, startFailed } from './job-runner-failure.js'
import { type RunnerHelper, startHelper } from './job-runner-helper.js'
import { encodeQuestion, encodeStart, parseReport, type RunnerReport } from './job-runner-wire.js'
import { findRunner } from './local-runner.js'
import { bootId, readProcess } from './process-table.js'
import type { Submission } from './scheduler.js'
import { STARTED_FILE } from './started-file.js'

export interface StartedScript {
  /** Of the script, which leads a process group. undefined: J/started shows that it was started before, by whom ever. */
  readonly pid: number | undefined
  /**
   * Resolves at its end with the exit code, or the negative number of the signal; undefined: only J/started and
   * J/.magnetar-exit can tell.
   */
  readonly ended: Promise<number | undefined>
}

export interface JobRunner {
  /**
   * Starts the script: working directory, /dev/null, the two files (created, or emptied), the small environment.
   * @throws StartFailed: it does not run, nor will it.
   */
  start(job: Submission): Promise<StartedScript>
  /** The start that has been under way for far too long; undefined: there is none. */
  stuck(): StuckStart | undefined
  /** Lets go of the helper. Jobs go on; what was still awaited here never settles. */
  close(): void
}

export interface StuckStart {
  readonly jobId: string
  readonly ms: number
  readonly helper: number | undefined
  /** What the helper has forked for the job. undefined: it has not, as far as is known. */
  readonly leader: number | undefined
}

export interface JobRunnerOptions {
  readonly log: Logger
  /** How often jobs without news are looked at, in case the process that waits for one was killed. */
  readonly checkIntervalMs?: number
  /** How long the last reports of a helper that was killed are waited for. */
  readonly lastReportsMs?: number
  /** A start takes milliseconds; from here on it is reported. */
  readonly stuckMs?: number
}

interface FollowedJob {
  readonly number: number
  readonly job: Submission
  readonly sinceMs: number
  readonly begin: (script: StartedScript) => void
  readonly refuse: (error: Error) => void
  /** Set once the script has been started. */
  end: ((exitCode: number | undefined) => void) | undefined
  helper: RunnerHelper | undefined
  sends: number
  leader: number | undefined
  leaderStartTime: number | undefined
  /** Checks without news, then checks without leader. */
  checks: number
}

/** More helpers than that do not die over one job by chance. */
const MAX_SENDS = 3
/** A report may be under way when its sender is found dead: hence the second look. */
const PATIENT_CHECKS = 2
const MAX_COMPLAINT = 300
const STUCK_MS = 30_000

export function createJobRunner(options: JobRunnerOptions): JobRunner {
  const { log, checkIntervalMs = 5000, lastReportsMs = 200, stuckMs = STUCK_MS } = options
  const followed = new Map<number, FollowedJob>()
  let helper: Promise<RunnerHelper> | undefined
  let lastNumber = 0
  let checker: NodeJS.Timeout | undefined
  let closed = false
  let warned = false

  function openHelper(): Promise<RunnerHelper> {
    if (helper) return helper
    const opened = startHelper({
      report: (line) => {
        const report = parseReport(line)
        const entry = report && followed.get(report.number)
        if (entry && !closed) take(entry, report)
      },
      complain: (line) => {
        if (!closed) log.warn(`the process that starts local jobs: ${line.slice(0, MAX_COMPLAINT)}`)
      },
      ended: (ended, how) => {
        helper = undefined
        if (!closed) void replace(ended, how)
      },
    })
    helper = opened
    opened.catch(() => {
      helper = undefined
    })
    return opened
  }

  async function send(entry: FollowedJob): Promise<void> {
    try {
      if (entry.sends === MAX_SENDS)
        throw new Error('the process that starts local jobs ends again and again')
      entry.sends += 1
      const current = await openHelper()
      if (closed) return
      if (current.ended) return await send(entry)
      entry.helper = current
      current.send(encodeStart(entry.number, entry.job))
    } catch (error) {
      forget(entry)
      entry.refuse(startFailed(entry.job, error))
    }
  }

  function take(entry: FollowedJob, report: RunnerReport): void {
    switch (report.kind) {
      case 'started':
        entry.leader = report.leader
        entry.checks = 0
        entry.begin({
          pid: report.pid,
          ended: new Promise((resolve) => {
            entry.end = resolve
          }),
        })
        break
      case 'ended':
        settle(entry, report.ranElsewhere ? undefined : report.exitCode)
        break
      case 'failed':
        if (entry.end) break
        forget(entry)
        void explainProblem(entry.job, report.problem).then(entry.refuse)
        break
      case 'leader':
        if (entry.leader !== undefined) break
        entry.leader = report.leader
        entry.checks = 0
    }
  }

  function settle(entry: FollowedJob, exitCode: number | undefined): void {
    forget(entry)
    if (entry.end) entry.end(exitCode)
    else entry.begin({ pid: undefined, ended: Promise.resolve(exitCode) })
  }

  function forget(entry: FollowedJob): void {
    followed.delete(entry.number)
    if (followed.size > 0) return
    clearInterval(checker)
    checker = undefined
  }

  /** Scripts that run are still reported by those who wait for them; what the helper had not come to goes to the next. */
  async function replace(ended: RunnerHelper, how: string): Promise<void> {
    log.warn(`the process that starts local jobs ended (${how}); another takes its place, the jobs go on`)
    await new Promise((resolve) => setTimeout(resolve, lastReportsMs).unref())
    for (const entry of [...followed.values()]) {
      if (closed) return
      if (entry.helper !== ended || entry.end) continue
      const runner = await findRunner(entry.job).catch(() => undefined)
      if (entry.end || !followed.has(entry.number)) continue
      if (runner === 'none') await send(entry)
      else settle(entry, undefined)
    }
  }

  function check(): void {
    try {
      look()
    } catch (error) {
      log.debug(`local jobs cannot be looked at now: ${messageOf(error)}`)
    }
  }

  function look(): void {
    warnOnce()
    for (const entry of [...followed.values()]) {
      if (entry.leader === undefined) {
        entry.checks += 1
        if (entry.checks >= PATIENT_CHECKS) entry.helper?.send(encodeQuestion(entry.number))
        continue
      }
      const startTime = readProcess(entry.leader)?.startTime
      entry.leaderStartTime ??= startTime
      if (startTime !== undefined && startTime === entry.leaderStartTime) continue
      entry.checks += 1
      if (entry.checks >= PATIENT_CHECKS) void lose(entry)
    }
  }

  function findStuck(): StuckStart | undefined {
    // In the order of their starts.
    const oldest = [...followed.values()].find(({ end }) => end === undefined)
    if (oldest === undefined) return undefined
    const ms = performance.now() - oldest.sinceMs
    if (ms < stuckMs) return undefined
    return { jobId: oldest.job.jobId, ms, helper: oldest.helper?.pid, leader: oldest.leader || undefined }
  }

  function warnOnce(): void {
    const stuck = findStuck()
    if (stuck && !warned) log.warn({ job: stuck.jobId }, explainStuck(stuck))
    warned = stuck !== undefined
  }

  /** Nobody waits for the script any more. */
  async function lose(entry: FollowedJob): Promise<void> {
    if (entry.end) return settle(entry, undefined)
    forget(entry)
    try {
      await forbidStart(entry.job)
      entry.refuse(startFailed(entry.job, new Error('the process that was to start it was killed')))
    } catch (error) {
      log.debug({ job: entry.job.jobId }, `its start was not reported: ${messageOf(error)}`)
      settle(entry, undefined)
    }
  }

  openHelper().catch((error: unknown) => {
    log.warn(
      `cannot start the process that starts local jobs, trying again with the first: ${messageOf(error)}`,
    )
  })

  return {
    start(job) {
      return new Promise((begin, refuse) => {
        lastNumber += 1
        const entry: FollowedJob = {
          number: lastNumber,
          job,
          sinceMs: performance.now(),
          begin,
          refuse,
          end: undefined,
          helper: undefined,
          sends: 0,
          leader: undefined,
          leaderStartTime: undefined,
          checks: 0,
        }
        followed.set(entry.number, entry)
        checker ??= setInterval(check, checkIntervalMs).unref()
        void send(entry)
      })
    },
    stuck: findStuck,
    close() {
      closed = true
      clearInterval(checker)
      followed.clear()
      helper?.then((open) => open.close()).catch(() => {})
    },
  }
}

/** Makes J/started in the name of nobody, so that the script can no longer run. @throws EEXIST when it has begun */
async function forbidStart(job: Submission): Promise<void> {
  await writeFile(join(job.directory, STARTED_FILE), `:0:0:${bootId() || '0'}\n`, { flag: 'wx' })
}
