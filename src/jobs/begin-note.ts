import { messageOf } from '../lib/errors.js'
import { backoffMs, pause } from '../lib/timing.js'
import type { StoreChange } from '../store/store.js'
import type { Job, ManagerContext } from './job.js'

/**
 * Of a job that runs on this machine: it may have begun. On the disk before its script is started, as J/started, which the script itself
 * makes, is not; so after a loss of power it is known which jobs must not run again.
 */
export interface BeginNote {
  /** Of the machine: when this is another one, nothing of the job can be running any more. */
  readonly bootId: string
  /** What it made was put on the disk afterwards. */
  readonly synced?: true
}

export const BEGIN_ROOM = 'begin'

export function beginKey(manager: string, jobId: string): string {
  return `${BEGIN_ROOM}/${manager}/${jobId}`
}

/**
 * Whether a job that is being submitted will find a free place, so that its note can go to the disk with its record. The place is kept
 * for it until `context.promised` forgets it. One that waits gets its note when its turn comes.
 */
export function promisePlace(context: ManagerContext, jobId: string): boolean {
  if (context.bootId === '') return false
  const places = context.config.numConcurrentJobs
  if (places !== Number.POSITIVE_INFINITY) {
    let taken = context.promised.size
    for (const job of context.jobs.values()) {
      if (job.end !== undefined || job.stagesIn) continue
      // Somebody waits, who comes first.
      if (job.begin === undefined) return false
      taken += 1
    }
    if (taken >= places) return false
  }
  context.promised.add(jobId)
  return true
}

/** What is written with a submit: also that a note of an earlier job of this id does not count. */
export function beginWithSubmit(context: ManagerContext, jobId: string, begins: boolean): StoreChange[] {
  if (context.bootId === '') return []
  const key = beginKey(context.config.name, jobId)
  if (!begins) return [{ type: 'del', key }]
  return [{ type: 'put', key, value: { bootId: context.bootId } satisfies BeginNote }]
}

/**
 * Resolves when it is on the disk that the job may have begun; a disk that is full is waited for. Not under the job's lock, whose owner may
 * be waiting for the start. @throws Error when the job is not to begin any more
 */
export async function noteBegin(context: ManagerContext, job: Job): Promise<void> {
  const { bootId, config, log, store } = context
  for (let attempt = 0; ; attempt++) {
    if (context.signal.aborted) throw new Error('the server stops')
    if (job.stopping || context.jobs.get(job.id) !== job) throw new Error('the job was cancelled')
    if (job.begin?.bootId === bootId) return
    try {
      const value: BeginNote = { bootId }
      await store.write([{ type: 'put', key: beginKey(config.name, job.id), value }])
      job.begin = value
    } catch (error) {
      if (attempt === 0)
        log.error({ job: job.id }, `cannot record that it begins, trying again: ${messageOf(error)}`)
      await pause(backoffMs(attempt, 250, 2000), context.signal)
    }
  }
}

/** What the job made is on the disk: a delivery may go on after a loss of power. */
export async function noteSynced(context: ManagerContext, job: Job): Promise<void> {
  if (!job.begin || context.jobs.get(job.id) !== job) return
  const value: BeginNote = { ...job.begin, synced: true }
  await context.store.write([{ type: 'put', key: beginKey(context.config.name, job.id), value }], {
    lazy: true,
  })
  job.begin = value
}

/** The notes of an earlier server, and away with those whose jobs are over. */
export async function loadBegins(context: ManagerContext): Promise<void> {
  const prefix = beginKey(context.config.name, '')
  const strays: StoreChange[] = []
  for await (const [key, note] of context.store.entries<BeginNote>(prefix)) {
    const job = context.jobs.get(key.slice(prefix.length))
    if (job) job.begin = note
    else strays.push({ type: 'del', key })
  }
  if (strays.length > 0) await context.store.write(strays, { lazy: true })
}
