import { cp, lstat, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { NodeConfig } from '../config/types.js'
import { createOverview, type JobSource, readDisks } from '../control/overview.js'
import type {
  AuditFilter,
  AuditReport,
  JobDetails,
  JobFilter,
  JobList,
  JobSummary,
  NodeStatus,
} from '../control/types.js'
import { auditStore } from '../jobs/audit/run-audit.js'
import { readEnded, readLive, summarize, toDetails } from '../jobs/describe.js'
import { jobDirectory } from '../jobs/directory.js'
import { describeDirectory } from '../jobs/disk/details.js'
import { activeKey, endedKey, type JobRecord } from '../jobs/record.js'
import { errnoOf, MagnetarError } from '../lib/errors.js'
import { notPermitted } from '../lib/not-permitted.js'
import { openMemoryStore } from '../store/memory-store.js'
import type { Store } from '../store/store.js'
import { directoriesOf } from './directories.js'

/** What the records of a server that does not run say. */
export interface NodeRecords {
  status(release: string): Promise<NodeStatus>
  jobs(filter: JobFilter): Promise<JobList>
  /** @throws MagnetarError JOB_UNKNOWN */
  job(id: string, manager?: string): Promise<JobDetails>
  audit(filter: AuditFilter): Promise<AuditReport>
  close(): Promise<void>
}

/**
 * Reads the records of a stopped server from a copy, in a directory that only this user can look into: a store can only be opened for
 * writing, would then keep a server from starting, and would leave files of root's when root asks.
 * @throws MagnetarError NOT_PERMITTED, STORE_BROKEN
 */
export async function openRecords(config: NodeConfig, signal: AbortSignal): Promise<NodeRecords> {
  const { store, release } = await openCopy(config.persistenceDirectory, signal)
  const sources = config.managers.map(
    ({ name, type, stagingDirectory }): JobSource => ({
      name,
      type,
      running: false,
      live: async () => (await readLive(store, name, stagingDirectory)).map((each) => summarize(name, each)),
      ended: () => readEnded(store, name),
    }),
  )
  const overview = createOverview(sources)
  return {
    async status(version) {
      const managers = await Promise.all(
        sources.map(async (source) => ({
          name: source.name,
          type: source.type,
          counts: await overview.counts(source),
          transfers: [],
        })),
      )
      const lastFailures = await overview.lastFailures()
      const disks = await readDisks(directoriesOf(config))
      return { running: false, version, managers, lastFailures, disks }
    },
    jobs: (filter) => overview.list(filter),
    async job(id, wanted) {
      for (const { name, stagingDirectory } of config.managers) {
        if (wanted !== undefined && name !== wanted) continue
        const [record, summary] = (await findRecord(store, name, stagingDirectory, id)) ?? []
        if (!record || !summary) continue
        const directory = jobDirectory(stagingDirectory, id).path
        return toDetails(summary, record, directory, describeDirectory(directory))
      }
      throw new MagnetarError('JOB_UNKNOWN', `there is no job ${id}`)
    },
    audit: (filter) => auditStore(store, config.managers, filter),
    close: release,
  }
}

async function findRecord(
  store: Store,
  manager: string,
  stagingDirectory: string,
  id: string,
): Promise<[JobRecord, JobSummary] | undefined> {
  const ended = await store.get<JobRecord>(endedKey(manager, id))
  if (ended) return [ended, summarize(manager, ended)]
  if ((await store.get(activeKey(manager, id))) === undefined) return undefined
  const live = (await readLive(store, manager, stagingDirectory)).find((each) => each.id === id)
  return live && [live, summarize(manager, live)]
}

async function openCopy(
  persistenceDirectory: string | null,
  signal: AbortSignal,
): Promise<{ store: Store; release: () => Promise<void> }> {
  const nothing = { store: openMemoryStore(), release: async () => {} }
  if (persistenceDirectory === null) return nothing
  const from = path.join(persistenceDirectory, 'magnetar-store')
  // The user of the node could have put a link there, for root to open.
  const isPlain = async (source: string): Promise<boolean> => {
    if (signal.aborted) return false
    const found = await lstat(source)
    return found.isFile() || found.isDirectory()
  }
  const copy = await mkdtemp(path.join(tmpdir(), 'magnetar-records-'))
  const remove = (): Promise<void> => rm(copy, { recursive: true, force: true })
  try {
    await cp(from, path.join(copy, 'store'), { recursive: true, filter: isPlain })
    signal.throwIfAborted()
    const { openLevelStore } = await import('../store/level-store.js')
    const store = await openLevelStore(path.join(copy, 'store'))
    const release = async (): Promise<void> => {
      await store.close()
      await remove()
    }
    return { store, release }
  } catch (error) {
    await remove()
    // A server that was never started has none.
    if (errnoOf(error) === 'ENOENT') return nothing
    if (errnoOf(error) === 'EACCES')
      throw await notPermitted(`only the user of the node and root may read ${from}`, persistenceDirectory, {
        cause: error,
      })
    throw error
  }
}
