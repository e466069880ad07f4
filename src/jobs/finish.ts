import path from 'node:path'
import { errnoOf } from '../lib/errors.js'
import { exists, removeFile, writeSmallFile } from '../lib/fs.js'
import { readReturnCode, writeFlagIfThere } from './directory.js'
import { changeStatus, type Job, type ManagerContext, recordOf, removeFromIndex } from './job.js'
import { activeKey, endedKey } from './record.js'
import { isDone } from './transitions.js'
import type { JobStatus } from './types.js'

export interface JobEnd {
  readonly status: Extract<JobStatus, 'complete' | 'failed' | 'lost'>
  /** Why, when it is not `complete`. */
  readonly reason?: string
  /** For a script that left no return code. */
  readonly exitCode?: number
}

/**
 * Ends a job, once: files first, then the record (synced), then the status that clients see.
 * Call under the job's lock. @throws when it cannot be recorded (disk full): the job stays as it was; try again.
 */
export async function finishJob(context: ManagerContext, job: Job, end: JobEnd): Promise<void> {
  if (context.jobs.get(job.id) !== job || isDone(job.status)) return
  const { directory } = job
  if (end.reason) await ifThere(writeSmallFile(directory.stderr, `${end.reason}\n`))
  if (end.exitCode !== undefined && (await readReturnCode(directory, true)) === undefined) {
    await ifThere(writeSmallFile(directory.returnCode, `${end.exitCode}\n`))
  }
  await Promise.all([
    writeFlagIfThere(directory, 'final_status', end.status === 'lost' ? 'failed' : end.status),
    ifThere(writeSmallFile(path.join(directory.path, 'postprocessed'), '')),
    removeFile(path.join(directory.path, 'submitted')),
  ])
  await forgetActive(
    context,
    job,
    recordOf(job, { status: end.status, ...(end.reason === undefined ? {} : { reason: end.reason }) }),
  )
  changeStatus(context, job, end.status, end.reason)
}

/** A cancelled job of which nothing runs any more. Call under the job's lock. */
export async function settleStopped(
  context: ManagerContext,
  job: Job,
  exitCode: number | undefined,
): Promise<void> {
  if (context.jobs.get(job.id) !== job) return
  if (
    exitCode !== undefined &&
    (await exists(job.directory.path)) &&
    (await readReturnCode(job.directory, true)) === undefined
  ) {
    await ifThere(writeSmallFile(job.directory.returnCode, `${exitCode}\n`))
  }
  job.stopping = false
  await forgetActive(context, job, recordOf(job))
}

async function forgetActive(context: ManagerContext, job: Job, record: object): Promise<void> {
  const { name } = context.config
  const ended = endedKey(name, job.id)
  await context.store.write([
    { type: 'del', key: activeKey(name, job.id) },
    job.cleaned ? { type: 'del', key: ended } : { type: 'put', key: ended, value: record },
  ])
  context.jobs.delete(job.id)
  await Promise.all([removeFromIndex(context, job), context.events.forget(job.id)])
}

/** A client may clean a job at any time: then there is nothing left to write to. */
async function ifThere(write: Promise<void>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}
