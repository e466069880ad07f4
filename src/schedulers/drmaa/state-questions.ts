/** Asks for states one job at a time, as DRMAA 1.0 has it: a few per second, the longest unasked first, and no single word is believed that ends a job. */
import { messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { SchedulerDown, type SchedulerReport } from '../scheduler.js'
import { slurmPollIntervalMs } from '../slurm/poll-interval.js'
import { ERRNO, STATES } from './codes.js'
import { type DrmaaLibrary, LibraryRefused } from './library.js'
import { LibraryFailed } from './session.js'

export interface StateQuestions {
  /** What is known of these jobs after asking for some of them. @throws SchedulerDown when nothing is and it cannot be asked */
  ask(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, SchedulerReport>>
  /** These ids are of jobs: one that the library does not know is not taken for gone at its first word. */
  expect(id: string): void
}

export interface QuestionOptions {
  readonly library: Pick<DrmaaLibrary, 'call'>
  readonly log: Logger
  readonly minIntervalMs: number
  /** A word that ends a job is believed when it was said again so much later, and nothing else between. */
  readonly confirmMs?: number | undefined
  readonly perSecond?: number | undefined
  now?(): number
}

interface Known {
  readonly since: number
  askedAt: number
  report: SchedulerReport | undefined
  /** The word that would end the job, and when it was said first. */
  suspicion: { readonly word: string; readonly at: number } | undefined
  unclearSince: number | undefined
  told: boolean
  crashes: number
}

/** One call of `ask` takes about so long at most: the monitor of all managers waits for it. */
const SLICE_MS = 1000
/** Jobs that are remembered; the oldest are forgotten. */
const MAX_KNOWN = 20_000
const TELL_UNCLEAR_MS = 600_000
/** A job at whose question the library crashed so often is asked for only now and then. */
const MAX_CRASHES = 3
const AFTER_CRASHES_MS = 600_000

/** For a job without a return code; DRMAA calls a tool that exits with an error failed as well. */
const FAILED =
  'The DRM reports the job as failed, and it left no return code: it was ended from outside (time or memory limit, failure of a node, cancelled by others), or could not be started. The DRM has the reason.'

export function createStateQuestions(options: QuestionOptions): StateQuestions {
  const {
    library,
    log,
    minIntervalMs,
    confirmMs = 2000,
    perSecond = 20,
    now = () => performance.now(),
  } = options
  const known = new Map<string, Known>()
  const burst = perSecond * 2
  let allowance = burst
  let countedAt = now()

  function isAllowed(): boolean {
    const at = now()
    allowance = Math.min(burst, allowance + ((at - countedAt) / 1000) * perSecond)
    countedAt = at
    if (allowance < 1) return false
    allowance -= 1
    return true
  }

  function remember(id: string): Known {
    const found = known.get(id)
    if (found) return found
    const since = now()
    const made: Known = {
      since,
      askedAt: Number.NEGATIVE_INFINITY,
      report: undefined,
      suspicion: undefined,
      unclearSince: undefined,
      told: false,
      crashes: 0,
    }
    known.set(id, made)
    for (const oldest of known.keys()) {
      if (known.size <= MAX_KNOWN) break
      known.delete(oldest)
    }
    return made
  }

  function isDue(id: string): boolean {
    const job = known.get(id)
    if (!job) return true
    if (job.report?.state === 'ended' || job.report?.state === 'gone') return false
    const interval =
      job.crashes >= MAX_CRASHES
        ? AFTER_CRASHES_MS
        : job.suspicion
          ? confirmMs / 2
          : Math.max(minIntervalMs, slurmPollIntervalMs(now() - job.since, 0))
    return now() - job.askedAt >= interval
  }

  /** The word of the library; undefined: it does not know. */
  async function wordOf(id: string): Promise<string | undefined> {
    try {
      const number = await library.call({ kind: 'state', id })
      return STATES[Number(number)]
    } catch (error) {
      if (!(error instanceof LibraryRefused)) throw error
      if (error.code === ERRNO.invalidJob) return 'gone'
      log.debug({ externalId: id }, `drmaa_job_ps: ${error.message}`)
      return undefined
    }
  }

  function note(id: string, word: string | undefined): void {
    const expected = known.has(id)
    const job = remember(id)
    const at = now()
    job.askedAt = at
    job.crashes = 0
    if (word === undefined) {
      job.report = undefined
      job.suspicion = undefined
      job.unclearSince ??= at
      if (job.told || at - job.unclearSince < TELL_UNCLEAR_MS) return
      job.told = true
      log.warn(
        { externalId: id },
        'the DRMAA library has not known the state of this job for 10 minutes; it is asked on. If the DRM has lost the job: cancel it in Galaxy',
      )
      return
    }
    job.unclearSince = undefined
    if (word === 'queued' || word === 'running') {
      job.suspicion = undefined
      job.report = { state: word }
      return
    }
    const report: SchedulerReport =
      word === 'gone'
        ? { state: 'gone' }
        : { state: 'ended', ...(word === 'failed' ? { unexplained: FAILED } : {}) }
    if (word === 'gone' && !expected) {
      job.report = report
      return
    }
    if (job.suspicion?.word !== word) job.suspicion = { word, at }
    // Until then nothing is said of it, which means "unknown, keep asking".
    job.report = at - job.suspicion.at >= confirmMs ? report : undefined
  }

  return {
    expect: (id) => void remember(id),
    async ask(ids, signal) {
      const begun = now()
      const due = ids
        .filter(isDue)
        .sort(
          (a, b) =>
            (known.get(a)?.askedAt ?? Number.NEGATIVE_INFINITY) -
            (known.get(b)?.askedAt ?? Number.NEGATIVE_INFINITY),
        )
      let down: SchedulerDown | undefined
      for (const id of due) {
        if (signal.aborted || now() - begun > SLICE_MS || !isAllowed()) break
        try {
          note(id, await wordOf(id))
        } catch (error) {
          if (!(error instanceof SchedulerDown)) throw error
          const job = remember(id)
          job.askedAt = now()
          if (error instanceof LibraryFailed && error.kind === 'crash' && ++job.crashes === MAX_CRASHES)
            log.warn(
              { externalId: id },
              `the DRMAA library ended its process ${MAX_CRASHES} times when it was asked for this job (${messageOf(error)}); from now on it is asked every ${AFTER_CRASHES_MS / 60_000} minutes`,
            )
          down = error
          break
        }
      }
      const reports = new Map<string, SchedulerReport>()
      for (const id of ids) {
        const report = known.get(id)?.report
        if (report) reports.set(id, report)
      }
      if (down && reports.size === 0) throw down
      return reports
    },
  }
}
