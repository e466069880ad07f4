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
import { countJobDirectories } from '../jobs/audit/count-directories.js'
import { auditStore } from '../jobs/audit/run-audit.js'
import { readEnded, readLive, summarize, toDetails } from '../jobs/describe.js'
import { jobDirectory } from '../jobs/directory.js'
import { describeDirectory } from '../jobs/disk/details.js'
import { activeKey, endedKey, type JobRecord } from '../jobs/record.js'
import { MagnetarError } from '../lib/errors.js'
import type { Store } from '../store/store.js'
import { directoriesOf } from './directories.js'
import { openCopy } from './records-copy.js'

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
 * @throws MagnetarError NOT_PERMITTED, STORE_BROKEN, COPY_FAILED
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
    async audit(filter) {
      const report = await auditStore(store, config.managers, filter)
      if (report.hasJournal || config.persistenceDirectory === null) return report
      const directories = await countJobDirectories(config.managers.map((each) => each.stagingDirectory))
      return directories === 0 ? report : { ...report, directoriesWithoutJournal: directories }
    },
    close: release,
  }
}

/** What can be said of a stopped server whose records cannot be read. */
export async function statusWithoutRecords(
  config: NodeConfig,
  version: string,
  { code, message, fix }: MagnetarError,
): Promise<NodeStatus> {
  return {
    running: false,
    version,
    recordsError: { code, message, ...(fix === undefined ? {} : { fix }) },
    managers: config.managers.map(({ name, type }) => ({ name, type, counts: {}, transfers: [] })),
    lastFailures: [],
    disks: await readDisks(directoriesOf(config)),
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
