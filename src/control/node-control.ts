import type { AuditFilter, AuditReport } from '../jobs/audit/types.js'
import { describeJob, describeLive, type JobDetails, type JobSummary, readEnded } from '../jobs/describe.js'
import { findExpired, removeExpired } from '../jobs/expire.js'
import { checkJobId } from '../jobs/job-id.js'
import type { RunningManager } from '../jobs/manager.js'
import { retryStageOut } from '../jobs/retry-stage-out.js'
import { describeTransfers } from '../jobs/transfers.js'
import { MagnetarError, messageOf } from '../lib/errors.js'
import { abortAfter } from '../lib/time-limit.js'
import type { ExpireAnswer, JobAction } from './client.js'
import { createOverview, type JobSource, readDisks } from './overview.js'
import type { JobFilter, JobList, ManagerStatus, NodeStatus, ServerSigns } from './types.js'

/** What the control socket is about. */
export interface ControlledNode {
  readonly managers: readonly RunningManager[]
  readonly version: string
  readonly startedAtMs: number
  readonly url: string
  readonly directories: readonly { readonly what: string; readonly directory: string }[]
  /** Reads the private tokens again; resolves with how many count now. */
  reloadTokens(): Promise<number>
  appReadAtMs(): number | undefined
}

/** What can be asked of it, without a word about sockets. */
export interface NodeControl {
  signs(): ServerSigns
  status(): Promise<NodeStatus>
  jobs(filter: JobFilter): Promise<JobList>
  job(id: string, manager: string | undefined): Promise<JobDetails>
  act(action: JobAction, id: string, manager: string | undefined): Promise<void>
  expire(olderThanMs: number, plan: boolean): Promise<ExpireAnswer>
  audit(filter: AuditFilter): Promise<AuditReport>
  reloadTokens(): Promise<{ tokens: number }>
}

/** A scheduler that does not answer must not hold up who wants to know why. */
const PROBE_MS = 10_000

export function createNodeControl(node: ControlledNode): NodeControl {
  const sources = node.managers.map(sourceOf)
  const overview = createOverview(sources)

  /** The manager that has the job. */
  async function find(id: string, manager: string | undefined): Promise<[RunningManager, JobDetails]> {
    checkJobId(id)
    const found: [RunningManager, JobDetails][] = []
    for (const each of node.managers) {
      if (manager !== undefined && each.manager.name !== manager) continue
      const details = await describeJob(each.context, id)
      if (details) found.push([each, details])
    }
    const [first, second] = found
    if (!first) throw new MagnetarError('JOB_UNKNOWN', `there is no job ${id}`)
    if (second)
      throw new MagnetarError(
        'ANSWER_INVALID',
        `several managers have a job ${id}: ${found.map(([each]) => each.manager.name).join(', ')}`,
        { fix: `Say which: --manager ${first[0].manager.name}` },
      )
    return first
  }

  return {
    signs() {
      const appReadAtMs = node.appReadAtMs()
      return { pid: process.pid, ...(appReadAtMs === undefined ? {} : { appReadAtMs }) }
    },
    async status() {
      const managers = await Promise.all(
        node.managers.map(async (each, index): Promise<ManagerStatus> => {
          const { config } = each.context
          const source = sources[index] ?? sourceOf(each)
          return {
            name: config.name,
            type: config.type,
            scheduler: await probe(each),
            counts: await overview.counts(source),
            transfers: describeTransfers(each.context),
          }
        }),
      )
      return {
        running: true,
        pid: process.pid,
        version: node.version,
        startedAtMs: node.startedAtMs,
        url: node.url,
        managers,
        lastFailures: await overview.lastFailures(),
        disks: await readDisks(node.directories),
      }
    },
    jobs: (filter) => overview.list(filter),
    job: async (id, manager) => (await find(id, manager))[1],
    async act(action, id, manager) {
      const [running, details] = await find(id, manager)
      if (action === 'retry-stage-out') return retryStageOut(running.context, id)
      if (action === 'cancel') return running.manager.cancel(id)
      if (running.context.config.debug)
        throw new MagnetarError(
          'ANSWER_INVALID',
          `manager ${details.manager} has "debug": nothing is removed`,
          {
            fix: 'Take debug out of app.yml and restart the server.',
          },
        )
      return running.manager.clean(id)
    },
    async expire(olderThanMs, plan) {
      const jobs: JobSummary[] = []
      const kept: ExpireAnswer['kept'][number][] = []
      let removed = 0
      for (const each of node.managers) {
        if (plan) jobs.push(...(await findExpired(each, olderThanMs)))
        else {
          const done = await removeExpired(each, olderThanMs)
          removed += done.removed
          kept.push(...done.kept)
        }
      }
      return { jobs, removed, kept }
    },
    async audit(filter) {
      const { auditStore } = await import('../jobs/audit/run-audit.js')
      const [first] = node.managers
      if (!first) throw new MagnetarError('INTERNAL', 'a node without a manager')
      const configs = node.managers.map(({ context }) => context.config)
      // One store for all.
      return auditStore(first.context.store, configs, filter)
    },
    reloadTokens: async () => ({ tokens: await node.reloadTokens() }),
  }
}

function sourceOf({ context }: RunningManager): JobSource {
  const { name, type } = context.config
  return {
    name,
    type,
    running: true,
    live: async () => describeLive(context),
    ended: () => readEnded(context.store, name),
  }
}

async function probe({ context }: RunningManager): Promise<NonNullable<ManagerStatus['scheduler']>> {
  const limit = abortAfter(PROBE_MS)
  const tooLate = new Promise<never>((_resolve, reject) => {
    limit.addEventListener('abort', () => reject(new Error(`no answer within ${PROBE_MS / 1000} s`)))
  })
  try {
    return await Promise.race([context.scheduler.probe(limit), tooLate])
  } catch (error) {
    return { ok: false, summary: 'the scheduler cannot be asked', detail: messageOf(error) }
  }
}
