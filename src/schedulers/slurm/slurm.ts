/** The Slurm scheduler of one manager. */
import type { Logger } from '../../lib/log.js'
import { untilAborted } from '../../lib/until-aborted.js'
import {
  type RecoverRequest,
  type Scheduler,
  SchedulerClosed,
  SchedulerDown,
  type Submission,
} from '../scheduler.js'
import { NotAsked } from './breaker.js'
import { isSlurmId } from './command.js'
import { findHandedOver, wrongHolders } from './find-handed-over.js'
import { buildHeaders, type HeaderSource } from './headers.js'
import { managerOptions } from './params.js'
import { slurmPollIntervalMs } from './poll-interval.js'
import { buildSbatch, parseSbatch } from './sbatch.js'
import { buildScancel, parseScancel } from './scancel.js'
import type { SlurmService } from './service.js'
import type { JobIdentity } from './state-query.js'

/**
 * Jobs whose name and directory are remembered, to see that an id still means the same job, at least; those that nobody has asked for
 * longest are forgotten first. Also of one that is over: it is asked for again until that is recorded.
 */
const MAX_IDENTITIES = 10_000

export function createSlurmScheduler(manager: HeaderSource, service: SlurmService, log: Logger): Scheduler {
  const identities = new Map<string, JobIdentity>()
  /** Jobs whose sbatch gave no answer: it may have submitted them. */
  const uncertain = new Set<string>()
  const client = {}
  for (const name of managerOptions(manager.jobParameters).unknown) {
    log.warn(
      `job_${name} is no option of Slurm that Magnetar knows; it is ignored. Known: job_time, job_ncpus, job_partition, and sbatch options as "job_--mem"`,
    )
  }

  function remember(externalId: string, { name, workingDirectory, script }: Submission): string {
    identities.set(externalId, { name, workingDirectory, script })
    return externalId
  }

  function identitiesOf(externalIds: readonly string[]): Map<string, JobIdentity | undefined> {
    const jobs = new Map(externalIds.map((id) => [id, identities.get(id)]))
    for (const [id, identity] of jobs) {
      if (identity && identities.delete(id)) identities.set(id, identity)
    }
    for (const oldest of identities.keys()) {
      if (identities.size <= Math.max(MAX_IDENTITIES, jobs.size)) break
      identities.delete(oldest)
    }
    return jobs
  }

  /** Right before something is done to it, as Slurm may have given the id to another job, of whomever. @throws SchedulerDown */
  async function meansAnother(externalId: string, signal: AbortSignal): Promise<boolean> {
    const identity = identities.get(externalId)
    if (!identity) return false
    const asker = {}
    try {
      const question = service.stateQuery.ask(asker, new Map([[externalId, identity]]))
      return (await untilAborted(question, signal)).get(externalId)?.state === 'gone'
    } finally {
      service.stateQuery.forget(asker)
    }
  }

  return {
    headers(job, params) {
      const { lines, droppedSpecification } = buildHeaders(job, params, manager)
      if (droppedSpecification !== undefined) {
        log.warn(
          { job: job.jobId },
          `the request's native specification "${droppedSpecification}" is ignored: the manager has its own`,
        )
      }
      return lines
    },
    async submit(job, signal) {
      if (uncertain.has(job.jobId)) {
        const id = (await findHandedOver([job], service, signal)).get(job.jobId)
        uncertain.delete(job.jobId)
        if (id !== undefined) return remember(id, job)
      }
      try {
        const id = parseSbatch(await service.run(buildSbatch(job), signal))
        service.stateQuery.isNew(id)
        return remember(id, job)
      } catch (error) {
        const isCertain = error instanceof NotAsked || error instanceof SchedulerClosed
        if (error instanceof SchedulerDown && !isCertain) uncertain.add(job.jobId)
        throw error
      }
    },
    async states(externalIds, signal) {
      return untilAborted(service.stateQuery.ask(client, identitiesOf(externalIds)), signal)
    },
    async cancel(externalId, signal) {
      if (!isSlurmId(externalId) || (await meansAnother(externalId, signal))) return
      const problem = parseScancel(await service.run(buildScancel(externalId), signal))
      if (problem) log.warn({ externalId }, `scancel: ${problem}`)
    },
    async recover(jobs, signal) {
      const recovered = new Map<string, string>()
      const lost: RecoverRequest[] = []
      const notTheirs = await wrongHolders(jobs, service, signal)
      for (const job of jobs) {
        if (notTheirs.has(job)) continue
        if (job.externalId === undefined) lost.push(job)
        else recovered.set(job.jobId, remember(job.externalId, job))
      }
      const found = await findHandedOver(lost, service, signal)
      for (const job of lost) {
        const id = found.get(job.jobId)
        if (id !== undefined) recovered.set(job.jobId, remember(id, job))
      }
      return recovered
    },
    // Slurm tells nothing by itself.
    onChange: () => () => {},
    pollIntervalMs: (youngestAgeMs) => slurmPollIntervalMs(youngestAgeMs, service.submitsPerSecond()),
    async probe(signal) {
      try {
        return await untilAborted(service.probe(), signal)
      } catch (error) {
        if (!(error instanceof SchedulerDown)) throw error
        return { ok: false, summary: 'slurm', detail: error.message }
      }
    },
    async close() {
      service.stateQuery.forget(client)
    },
  }
}
