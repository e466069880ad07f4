import { messageOf } from '../lib/errors.js'
import { beginKey } from './begin-note.js'
import { disk } from './disk/disk.js'
import { changeStatus, type Job, type ManagerContext, recordOf } from './job.js'
import type { JobNews } from './journal/event.js'
import { journaled } from './journal/note.js'
import { activeKey, endedKey, type JobEnd, type JobRecord } from './record.js'
import { syncResults } from './sync-results.js'
import { forgetTransfers } from './transfer-notes.js'
import { isDone } from './transitions.js'

/**
 * Ends a job, once: files first, then the record (synced), then the status that clients see.
 * Call under the job's lock. @throws when it cannot be recorded (disk full): the job stays as it was; try again.
 */
export async function finishJob(context: ManagerContext, job: Job, end: JobEnd): Promise<void> {
  if (context.jobs.get(job.id) !== job || isDone(job.status)) return
  await writeEnd(context, job, end.reason, end.exitCode)
  await recordEnd(context, job, end)
}

/** The part of finishJob after the files. */
export async function recordEnd(context: ManagerContext, job: Job, end: JobEnd): Promise<void> {
  if (context.jobs.get(job.id) !== job || isDone(job.status)) return
  // What this node delivered is at Galaxy. Anything else the client is about to fetch from here.
  if (end.status === 'complete' && !job.stagesOut) await syncResults(job.directory.path)
  const reason = end.reason === undefined ? {} : { reason: end.reason }
  const returnCode = end.returnCode ?? end.exitCode
  await forgetActive(context, job, recordOf(job, { status: end.status, ...reason }), {
    kind: 'ended',
    status: end.status,
    ...reason,
    ...(returnCode === undefined ? {} : { returnCode }),
  })
  changeStatus(context, job, end.status, end.reason)
}

/** A cancelled job of which nothing runs any more. Call under the job's lock. */
export async function settleStopped(
  context: ManagerContext,
  job: Job,
  exitCode: number | undefined,
): Promise<void> {
  if (context.jobs.get(job.id) !== job) return
  await writeEnd(context, job, undefined, exitCode)
  job.stopping = false
  await forgetActive(context, job, recordOf(job), { kind: 'stopped' })
}

export function writeEnd(
  context: ManagerContext,
  job: Job,
  reason: string | undefined,
  exitCode: number | undefined,
): Promise<void> {
  return disk.writeEnd({
    directory: job.directory.path,
    reason,
    exitCode,
    events: eventFiles(context, job.id),
  })
}

/** What the script of a job makes to announce its start and end. */
export function eventFiles(context: ManagerContext, jobId: string): string[] {
  return [context.events.file('started', jobId), context.events.file('ended', jobId)]
}

async function forgetActive(
  context: ManagerContext,
  job: Job,
  record: JobRecord,
  news: JobNews,
): Promise<void> {
  const { name } = context.config
  const ended = endedKey(name, job.id)
  await context.store.write([
    { type: 'del', key: activeKey(name, job.id) },
    ...(job.begin ? [{ type: 'del' as const, key: beginKey(name, job.id) }] : []),
    job.cleaned ? { type: 'del', key: ended } : { type: 'put', key: ended, value: record },
    journaled(context, job.id, news),
  ])
  // It has ended, also when this fails (a full disk): the next submit of this id forgets them, or the next start.
  if (job.stagesIn || job.stagesOut)
    await forgetTransfers(context.store, name, job.id, { lazy: true }).catch((error: unknown) =>
      context.log.warn({ job: job.id }, `notes of its transfers are left: ${messageOf(error)}`),
    )
  context.jobs.delete(job.id)
  if (!job.cleaned) context.recentlyEnded.set(job.id, record.status)
}
