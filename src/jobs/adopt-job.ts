import path from 'node:path'
import { messageOf } from '../lib/errors.js'
import { beginKey } from './begin-note.js'
import { disk } from './disk/disk.js'
import type { PythonTraces } from './disk/python-traces.js'
import { finishJob } from './finish.js'
import { changeStatus, type Job, jobFromRecord, type ManagerContext, recordOf } from './job.js'
import { noteEvent } from './journal/note.js'
import { wantsLiveOutput } from './live-output-post.js'
import type { IndexKind } from './park.js'
import { type Outcome, outcomeOf } from './python-outcome.js'
import { activeKey } from './record.js'
import { wantsStageIn } from './stage-in.js'
import { wantsStageOut } from './wants-stage-out.js'

/** A job of a Python server of which we know nothing. */
export interface Stranger {
  readonly jobId: string
  /** The indexes it stands in; none: see strays.ts. */
  readonly kinds: ReadonlySet<IndexKind>
  readonly traces: PythonTraces
}

/** Makes a Python server's job one of ours. @returns whether that went well */
export async function adoptJob(
  context: ManagerContext,
  { jobId, kinds, traces }: Stranger,
): Promise<boolean> {
  const { remoteStaging, tool } = traces
  const job = jobFromRecord(context, {
    id: jobId,
    status: 'preprocessing',
    sequence: context.nextSequence(),
    submittedAtMs: Math.trunc(traces.submittedAtMs ?? Date.now()),
    ...(tool.toolId ? { tool } : {}),
    ...(wantsStageIn(remoteStaging) ? { stagesIn: true as const } : {}),
    ...(wantsStageOut(remoteStaging) || wantsLiveOutput(context.config, remoteStaging)
      ? { stagesOut: true as const }
      : {}),
  })
  context.jobs.set(jobId, job)
  try {
    const outcome = await outcomeOf(context, job, kinds, traces)
    await disk.claimJobDirectory(job.directory.path)
    // It may have been ours, in a store that is no more.
    await disk.returnStreams(job.directory.path)
    noteEvent(context, jobId, { kind: 'taken-over', status: job.status })
    await goOn(context, job, outcome)
    context.log.info({ job: jobId }, `taken over from a Python Pulsar: ${job.status}`)
    return true
  } catch (error) {
    context.jobs.delete(jobId)
    context.log.warn({ job: jobId }, `cannot be taken over from a Python Pulsar: ${messageOf(error)}`)
    return false
  }
}

/** Records what is to be done, once and with sync: a job whose launch is unknown must not be found without that. */
export async function goOn(context: ManagerContext, job: Job, outcome: Outcome): Promise<void> {
  switch (outcome.kind) {
    case 'over':
      return finishJob(context, job, outcome.end)
    case 'deliver':
      job.stagesIn = false
      job.end = outcome.end
      changeStatus(context, job, 'postprocessing')
      break
    case 'stop':
      job.externalId = outcome.externalId
      job.stopping = true
      changeStatus(context, job, 'cancelled')
      break
    case 'launch':
    case 'watch':
      job.stagesIn = false
      job.externalId = outcome.kind === 'watch' ? outcome.externalId : undefined
      changeStatus(context, job, 'queued')
      await disk.removeFile(path.join(job.directory.path, 'command_line'))
  }
  // What it did with the job is told by its files alone.
  job.begin = undefined
  await context.store.write([
    { type: 'put', key: activeKey(context.config.name, job.id), value: recordOf(job) },
    { type: 'del', key: beginKey(context.config.name, job.id) },
  ])
}
