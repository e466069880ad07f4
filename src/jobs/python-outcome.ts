import os from 'node:os'
import { adoptByPid, adoptByScript, ENDED_UNSEEN } from '../schedulers/foreign-process.js'
import { isLocal } from '../schedulers/index.js'
import { disk } from './disk/disk.js'
import type { PythonTraces } from './disk/python-traces.js'
import type { Job, ManagerContext } from './job.js'
import type { IndexKind } from './park.js'
import type { JobEnd } from './record.js'

/** What is to be done with a job that a Python server had last. */
export type Outcome =
  | { readonly kind: 'begin again' }
  | { readonly kind: 'launch' }
  /** The scheduler has it: a cluster under this id, the local one by J/started. */
  | { readonly kind: 'watch'; readonly externalId?: string }
  | { readonly kind: 'deliver'; readonly end: JobEnd }
  | { readonly kind: 'over'; readonly end: JobEnd }
  | { readonly kind: 'stop'; readonly externalId?: string }

/**
 * Reads from the files of a Python server how far it came with a job (pulsar/managers/stateful.py, queued.py, unqueued.py).
 *
 * | files | then |
 * | --- | --- |
 * | preprocessing_failed | over: failed, for its reason |
 * | final_status complete or failed, in an index | deliver its outputs, end as it says |
 * | the same, in no index | over, as it says |
 * | cancelled, also as final_status | stop what still runs of it |
 * | no launch_config that can be read | over: failed, saying so |
 * | nothing of a launch | fetch its inputs, launch it |
 * | external_id | watch it |
 * | on a cluster without external_id | launch it, unless the queue has its script |
 * | pid of a live process, or one that runs its script | watch that process |
 * | command_line | it waited in the queue: launch it |
 * | return_code | it has ended: deliver |
 * | no streams of a script | it was never started: launch it |
 * | none of these, the machine was started since | lost: nobody saw its end |
 * | none of these | deliver its outputs, failed: nobody saw how it ended |
 */
export async function outcomeOf(
  context: ManagerContext,
  job: Job,
  kinds: ReadonlySet<IndexKind>,
  traces: PythonTraces,
): Promise<Outcome> {
  const { finalStatus } = traces
  const isBroken = traces.launchProblem !== undefined && !traces.isLaunchUnread
  if (traces.launchFailed) {
    const reason = traces.failure || 'A Python Pulsar could not launch it.'
    return { kind: 'over', end: { status: 'failed', reason } }
  }
  if (finalStatus === 'complete' || finalStatus === 'failed') {
    const isDelivered = !kinds.has('postprocessing') && !kinds.has('active')
    if (isDelivered) return { kind: 'over', end: { status: finalStatus } }
    return isBroken ? broken(job, traces) : ended(job, { status: finalStatus })
  }
  const onCluster = externalIdOf(context, job, traces)
  if (finalStatus === 'cancelled' || traces.isCancelled) {
    if (isLocal(context.config) && !(await adoptByPid(filesOf(job)))) {
      // A Python server that was killed right after it had started the script has left no pid.
      if (traces.mayHaveBegun && !traces.hasReturnCode) await adoptByScript(filesOf(job))
    }
    return { kind: 'stop', ...onCluster }
  }
  if (isBroken) return broken(job, traces)
  if (!traces.isHandedOver || (kinds.has('preprocessing') && !traces.isLaunched))
    return { kind: 'begin again' }
  if (onCluster) return { kind: 'watch', ...onCluster }
  if (!isLocal(context.config))
    return traces.hasReturnCode ? ended(job, { status: 'complete' }) : { kind: 'launch' }
  return localOutcome(job, traces)
}

async function localOutcome(job: Job, traces: PythonTraces): Promise<Outcome> {
  if (await adoptByPid(filesOf(job))) return { kind: 'watch' }
  if (traces.isWaiting) return { kind: 'launch' }
  if (!traces.hasReturnCode) {
    if (!traces.mayHaveBegun) return { kind: 'launch' }
    if (await adoptByScript(filesOf(job))) return { kind: 'watch' }
    // It may have ended since the files were looked at.
    if (!(await disk.exists(job.directory.returnCode))) {
      const bootMs = Date.now() - os.uptime() * 1000
      // As the Python server would have: the job has ended. Not complete, as nobody knows its exit code.
      if ((traces.lastSignMs ?? bootMs) >= bootMs)
        return ended(job, { status: 'failed', reason: ENDED_UNSEEN })
      const reason = 'A Python Pulsar started it, and the machine went down before anybody saw its end.'
      return { kind: 'over', end: { status: 'lost', reason } }
    }
  }
  return ended(job, { status: 'complete' })
}

/** What it is to run, and where its outputs go, is known to nobody. */
function broken(
  { directory }: Job,
  { launchProblem, externalId, isHandedOver, hasReturnCode, finalStatus, exists }: PythonTraces,
): Outcome {
  const what = exists ? `its launch_config ${launchProblem}` : 'its job directory is gone'
  const sentences = [
    `This job was left by the server before, and it cannot be continued: ${what}, so what it is to run and where its outputs go is not known.`,
  ]
  if (hasReturnCode || finalStatus !== undefined)
    sentences.push(`It has run; what it left is in ${directory.path}.`)
  else if (isHandedOver)
    sentences.push(
      `It may still run${externalId === undefined ? '' : ` as ${externalId}`}: nobody has stopped it.`,
    )
  return { kind: 'over', end: { status: 'failed', reason: sentences.join(' ') } }
}

function ended(job: Job, end: JobEnd): Outcome {
  return { kind: job.stagesOut ? 'deliver' : 'over', end }
}

/** The local scheduler's ids are those of the jobs. */
function externalIdOf(
  { config }: ManagerContext,
  job: Job,
  { externalId }: PythonTraces,
): { readonly externalId: string } | undefined {
  if (externalId === undefined || (isLocal(config) && externalId === job.id)) return undefined
  return { externalId }
}

/** By which a process of the job is found. */
export function filesOf({ directory }: Pick<Job, 'directory'>): {
  readonly directory: string
  readonly script: string
} {
  return { directory: directory.path, script: directory.script }
}
