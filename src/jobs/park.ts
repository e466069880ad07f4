import path from 'node:path'
import { messageOf } from '../lib/errors.js'
import { disk } from './disk/disk.js'
import { directoryOf, type INDEX_KINDS, indexDirectory, type Job, type ManagerContext } from './job.js'
import { journaled } from './journal/note.js'
import { endedKey, type JobRecord } from './record.js'

/** How long a clean stop may spend on this. */
const LIMIT_MS = 2500

export type IndexKind = (typeof INDEX_KINDS)[number]

/** What a clean stop left: in which index each job is. */
export interface Parked {
  readonly atMs: number
  readonly kinds: Readonly<Record<string, IndexKind>>
}

/** In the store, until the next start. */
export function parkedKey(manager: string): string {
  return `parked/${manager}`
}

/**
 * Leaves the small files by which a Python server finds these jobs again (reference/job-lifecycle §2, §9): it keeps its state in
 * them, we keep ours in the store, so they are only written when this server stops. What cannot be written is not needed by us.
 *
 * | job | index | flags |
 * | --- | --- | --- |
 * | its inputs are being fetched, or it waits for its launch | preprocessing | none: both are begun again |
 * | handed over | active | preprocessed, submitted, external_id, running |
 * | its outputs are being delivered | postprocessing | preprocessed, final_status |
 * | cancelled, not yet stopped | active | cancelled, final_status |
 * | over | none | final_status, postprocessed |
 */
export async function parkJobs(context: ManagerContext): Promise<void> {
  const { persistenceDirectory, config, store, log } = context
  if (persistenceDirectory === undefined) return
  const deadline = Date.now() + LIMIT_MS
  const kinds: Record<string, IndexKind> = {}
  try {
    for (const job of context.jobs.values()) {
      if (Date.now() > deadline) break
      const kind = indexOf(job)
      const indexFile = path.join(indexDirectory(persistenceDirectory, config.name, kind), job.id)
      const parked = await disk.park(job.directory.path, flagsOf(job, kind), indexFile)
      if (parked) kinds[job.id] = kind
    }
    for await (const [, record] of store.entries<JobRecord>(endedKey(config.name, ''))) {
      if (Date.now() > deadline) break
      const final = record.status === 'lost' ? 'failed' : record.status
      await disk.park(
        directoryOf(context, record.id).path,
        { final_status: final, postprocessed: true },
        undefined,
      )
    }
    const parked: Parked = { atMs: Date.now(), kinds }
    if (Object.keys(kinds).length > 0)
      await store.write([
        { type: 'put', key: parkedKey(config.name), value: parked },
        ...Object.entries(kinds).map(([id, index]) => journaled(context, id, { kind: 'handed-over', index })),
      ])
  } catch (error) {
    log.warn(`not all jobs could be left as a Python Pulsar would find them: ${messageOf(error)}`)
  }
}

function indexOf(job: Job): IndexKind {
  if (job.stopping) return 'active'
  if (job.end) return 'postprocessing'
  return job.externalId === undefined ? 'preprocessing' : 'active'
}

/** undefined: a flag that must not be there. */
function flagsOf(job: Job, kind: IndexKind): Record<string, unknown> {
  const cancelled = job.stopping ? { cancelled: true, final_status: 'cancelled' } : {}
  if (kind === 'preprocessing')
    return { preprocessed: undefined, submitted: undefined, external_id: undefined }
  if (kind === 'postprocessing') {
    const final = job.end?.status === 'complete' ? 'complete' : 'failed'
    return { preprocessed: true, final_status: final, submitted: undefined }
  }
  return {
    ...cancelled,
    ...(job.externalId === undefined
      ? {}
      : { preprocessed: true, submitted: 'true', external_id: job.externalId }),
    ...(job.status === 'running' ? { running: true } : {}),
  }
}
