/** The scheduler of one manager that hands its jobs over through a DRMAA library. */
import { readFile } from 'node:fs/promises'
import { messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import {
  type RecoverRequest,
  type Scheduler,
  SchedulerDown,
  type Submission,
  SubmitRejected,
} from '../scheduler.js'
import { filePattern } from '../slurm/headers.js'
import { slurmPollIntervalMs } from '../slurm/poll-interval.js'
import { startedIds } from '../slurm/started-ids.js'
import { kindOf } from '../slurm/submit-errors.js'
import { ERRNO, REFUSALS } from './codes.js'
import { type DrmaaLibrary, LibraryRefused } from './library.js'
import { chooseSpecification, readSpecification } from './native-specification.js'
import { LibraryFailed } from './session.js'
import { createStateQuestions } from './state-questions.js'
import { forbidStart, readSubmitTrace } from './traces.js'
import type { JobTemplate } from './wire.js'

export interface DrmaaOptions {
  readonly nativeSpecification: string | undefined
  readonly minPollingIntervalMs: number
  /** Finds jobs in the DRM's own queue by name and directory; undefined where there are no commands for that. */
  readonly findInQueue?: FindInQueue | undefined
  readonly confirmMs?: number | undefined
  /** How long a job whose submit was not answered may take to show that it has begun, before it is submitted again. */
  readonly settleMs?: number | undefined
}

export type FindInQueue = (
  jobs: readonly Submission[],
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, string> | undefined>

interface Finding {
  readonly id: string | undefined
  /** It is too early to conclude that it was not handed over. */
  readonly mayShow?: boolean
}

interface Unsettled {
  since: number
  crashes: number
}

/** A submit of which the library dies so often is not tried again. */
const MAX_CRASHES = 3
/** Nothing left to end: what slurm-drmaa says of it, as error 1. */
const OVER = /already (completing|completed|finished)|Invalid job id/i

export function createDrmaaScheduler(options: DrmaaOptions, library: DrmaaLibrary, log: Logger): Scheduler {
  const { settleMs = 15_000, findInQueue } = options
  /** Jobs that may have been submitted, without our knowing the id. */
  const unsettled = new Map<string, Unsettled>()
  const minIntervalMs = options.minPollingIntervalMs
  const questions = createStateQuestions({ library, log, minIntervalMs, confirmMs: options.confirmMs })

  function remember(externalId: string): string {
    questions.expect(externalId)
    return externalId
  }

  /** The id of a job that was handed over, by us or by a server before us. @throws SchedulerDown while that goes on */
  async function find(job: Submission, signal: AbortSignal): Promise<Finding> {
    const trace = await readSubmitTrace(job)
    if (trace.kind === 'busy') throw new SchedulerDown(`the submit of job ${job.jobId} is still under way`)
    if (trace.kind === 'id') return { id: trace.id }
    const id = (await startedIds([job], signal)).get(job.jobId)
    if (id !== undefined) return { id }
    if (trace.kind === 'none' && !unsettled.has(job.jobId)) return { id: undefined }
    const queue = await findInQueue?.([job], signal)
    const open = unsettled.get(job.jobId) ?? { since: Date.now(), crashes: 0 }
    unsettled.set(job.jobId, open)
    // Where no queue can be searched, J/started shows the job when it has begun.
    return { id: queue?.get(job.jobId), mayShow: queue === undefined && Date.now() - open.since < settleMs }
  }

  /** The id of a job whose last submit was not answered; undefined: it is to be submitted again. */
  async function settle(job: Submission, signal: AbortSignal): Promise<string | undefined> {
    const { id, mayShow } = await find(job, signal)
    if (id !== undefined) return id
    if ((unsettled.get(job.jobId)?.crashes ?? 0) >= MAX_CRASHES) {
      await forbidStart(job)
      unsettled.delete(job.jobId)
      throw new SubmitRejected(
        'other',
        `The DRMAA library ended its process ${MAX_CRASHES} times when this job was submitted. Its native specification is what differs from job to job`,
      )
    }
    if (mayShow)
      throw new SchedulerDown(
        'it is not known whether the last submit came through; waiting for a sign of the job',
      )
    return undefined
  }

  async function templateOf(job: Submission): Promise<JobTemplate> {
    // Slurm replaces %j and the like in paths that come from DRMAA as well.
    const path = /slurm/i.test(library.info?.system ?? '') ? filePattern : (text: string) => text
    return {
      remoteCommand: job.script,
      jobName: job.name,
      outputPath: path(job.stdout),
      errorPath: path(job.stderr),
      workingDirectory: job.workingDirectory,
      nativeSpecification: readSpecification(await readFile(job.script, 'utf8')),
    }
  }

  return {
    headers(job, params) {
      const { line, dropped } = chooseSpecification(options.nativeSpecification, params)
      if (dropped !== undefined) {
        log.warn(
          { job: job.jobId },
          `the request's native specification "${dropped}" is ignored: the manager has its own`,
        )
      }
      return line === undefined ? [] : [line]
    },
    async submit(job, signal) {
      const open = unsettled.get(job.jobId)
      if (open) {
        const id = await settle(job, signal)
        if (id !== undefined) {
          unsettled.delete(job.jobId)
          return remember(id)
        }
      }
      try {
        const template = await templateOf(job)
        const id = await library.call({ kind: 'submit', template, directory: job.directory })
        unsettled.delete(job.jobId)
        return remember(String(id))
      } catch (error) {
        if (error instanceof LibraryFailed) {
          const crashes = (open?.crashes ?? 0) + (error.kind === 'crash' ? 1 : 0)
          unsettled.set(job.jobId, { since: Date.now(), crashes })
        }
        if (!(error instanceof LibraryRefused)) throw error
        if (!REFUSALS.has(error.code)) throw new SchedulerDown(`drmaa_run_job: ${error.message}`)
        unsettled.delete(job.jobId)
        throw new SubmitRejected(kindOf(error.message), `The DRM refused the job: ${error.message}`)
      }
    },
    states: (externalIds, signal) => questions.ask(externalIds, signal),
    async cancel(externalId) {
      try {
        await library.call({ kind: 'terminate', id: externalId })
      } catch (error) {
        if (!(error instanceof LibraryRefused)) throw error
        if (error.code === ERRNO.invalidJob || OVER.test(error.message)) return
        log.warn({ externalId }, `drmaa_control: ${error.message}`)
      }
    },
    async recover(jobs, signal) {
      const recovered = new Map<string, string>()
      const lost: RecoverRequest[] = []
      for (const job of jobs) {
        if (job.externalId === undefined) lost.push(job)
        else recovered.set(job.jobId, remember(job.externalId))
      }
      for (const job of lost) {
        const { id } = await find(job, signal)
        if (id !== undefined) recovered.set(job.jobId, remember(id))
      }
      return recovered
    },
    // DRMAA tells nothing by itself.
    onChange: () => () => {},
    pollIntervalMs: (youngestAgeMs) => Math.max(minIntervalMs, slurmPollIntervalMs(youngestAgeMs, 0)),
    async probe() {
      const problem = await library.open().catch(messageOf)
      const { info } = library
      const summary = info ? `drmaa ${info.version}, ${info.system || 'a DRM without a name'}` : 'drmaa'
      return problem === undefined ? { ok: true, summary } : { ok: false, summary, detail: problem }
    },
    async close() {
      library.close()
    },
  }
}
