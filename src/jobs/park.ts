import path from 'node:path'
import { messageOf } from '../lib/errors.js'
import { disk } from './disk/disk.js'
import { directoryOf, indexDirectory, type Job, type ManagerContext } from './job.js'
import { endedKey, type JobRecord } from './record.js'

/** How long a clean stop may spend on this. */
const LIMIT_MS = 2500

/**
 * Leaves the small files by which a Python server finds these jobs again (reference/job-lifecycle §2, §9): it keeps its state in
 * them, we keep ours in the store, so they are only written when this server stops. What cannot be written is not needed by us.
 */
export async function parkJobs(context: ManagerContext): Promise<void> {
  const { persistenceDirectory, config, store, log } = context
  if (persistenceDirectory === undefined) return
  const deadline = Date.now() + LIMIT_MS
  const index = indexDirectory(persistenceDirectory, config.name, 'active')
  try {
    for (const job of context.jobs.values()) {
      if (Date.now() > deadline) break
      await disk.park(job.directory.path, activeFlags(job), path.join(index, job.id))
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
  } catch (error) {
    log.warn(`not all jobs could be left as a Python Pulsar would find them: ${messageOf(error)}`)
  }
}

function activeFlags(job: Job): Record<string, unknown> {
  return {
    ...(job.stopping ? { cancelled: true, final_status: 'cancelled' } : {}),
    ...(job.externalId === undefined
      ? {}
      : { preprocessed: true, submitted: 'true', external_id: job.externalId }),
    ...(job.status === 'running' ? { running: true } : {}),
  }
}

/** Takes the index files of our jobs away again: while we run, the store is the only index. */
export async function unparkJobs(context: ManagerContext): Promise<void> {
  const { persistenceDirectory, config } = context
  if (persistenceDirectory === undefined) return
  const index = indexDirectory(persistenceDirectory, config.name, 'active')
  for (const jobId of context.jobs.keys()) await disk.removeFile(path.join(index, jobId))
}
