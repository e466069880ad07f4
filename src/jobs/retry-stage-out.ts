import path from 'node:path'
import { MagnetarError } from '../lib/errors.js'
import { disk } from './disk/disk.js'
import { directoryOf, type ManagerContext, reopenJob } from './job.js'
import { journaled } from './journal/note.js'
import { activeKey, endedKey, type JobRecord } from './record.js'

/**
 * Delivers the outputs of a failed job once more: all of them, since what arrived before is no longer known. It then ends as it would
 * have, had they arrived the first time. The one way back from the end of a job, and only at the wish of a person.
 * @throws MagnetarError JOB_UNKNOWN, JOB_NOT_RETRIED
 */
export async function retryStageOut(context: ManagerContext, jobId: string): Promise<void> {
  await context.lock.run(jobId, async () => {
    const { name } = context.config
    const record = await context.store.get<JobRecord>(endedKey(name, jobId))
    if (context.jobs.has(jobId)) throw refusal(jobId, 'it is not over')
    if (!record) throw new MagnetarError('JOB_UNKNOWN', `there is no job ${jobId}`)
    if (record.status !== 'failed') throw refusal(jobId, `it is ${record.status}, not failed`)
    if (!record.stagesOut || !record.end)
      throw refusal(jobId, 'this node had no outputs of it to deliver, or it never ran')
    const directory = directoryOf(context, jobId).path
    if (!(await disk.exists(directory))) throw refusal(jobId, 'its directory is gone')
    const { reason: _, ...rest } = record
    const history = [
      ...(record.history ?? []),
      { status: 'postprocessing' as const, atMs: Date.now(), reason: 'asked for again' },
    ]
    const open: JobRecord = { ...rest, status: 'postprocessing', history }
    await context.store.write([
      { type: 'del', key: endedKey(name, jobId) },
      { type: 'put', key: activeKey(name, jobId), value: open },
      journaled(context, jobId, { kind: 'retry-stage-out' }),
    ])
    // The reason goes to Galaxy as standard error, and is none any more; what the end of the run said comes back with the new end.
    await disk.removeFile(path.join(directory, 'stderr'))
    for (const flag of ['final_status', 'postprocessed']) await disk.removeFile(path.join(directory, flag))
    context.deliver(reopenJob(context, open, record.status))
  })
}

function refusal(jobId: string, why: string): MagnetarError {
  return new MagnetarError('JOB_NOT_RETRIED', `the outputs of job ${jobId} cannot be delivered again: ${why}`)
}
