import fs from 'node:fs'
import path from 'node:path'
import { messageOf } from '../lib/errors.js'
import { createLimit } from '../lib/limit.js'
import { isLocal } from '../schedulers/index.js'
import { disk } from './disk/disk.js'
import { directoryOf, type INDEX_KINDS, indexDirectory, type Job, type ManagerContext } from './job.js'
import { journaled } from './journal/note.js'
import { noteNotLeft } from './not-left-probe.js'
import { endedKey, type JobRecord } from './record.js'

/** How long a clean stop may spend on this. */
const LIMIT_MS = 2500
const AT_ONCE = 8

export type IndexKind = (typeof INDEX_KINDS)[number]

/** What a stop left, in good order or cut off: written before the first job is touched, and when all have been. */
export interface Parked {
  readonly atMs: number
  /** In which index each job is; of those that are missing nothing is known. */
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
 * | its inputs are being fetched, or it waits for its launch | preprocessing | none: both are begun again; where it goes to a queue, command_line as a link (see leaveUnlaunchedJob) |
 * | handed to a cluster | active | preprocessed, submitted, external_id, running |
 * | here, in the queue | active | preprocessed, submitted, command_line: its script |
 * | here, begun | active | preprocessed, submitted, running, command_line: what waits for it (see leaveLocalJob) |
 * | its outputs are being delivered | postprocessing | preprocessed, final_status |
 * | cancelled, not yet stopped | active | preprocessed, cancelled, final_status |
 * | over | none | preprocessed, final_status, postprocessed |
 */
export async function parkJobs(context: ManagerContext): Promise<void> {
  const { persistenceDirectory, config, store, log } = context
  if (persistenceDirectory === undefined) return
  const deadline = Date.now() + LIMIT_MS
  const limit = createLimit(AT_ONCE)
  let missed = 0
  let failed = 0
  let reason: string | undefined
  const note = (error: unknown): void => {
    failed += 1
    reason ??= messageOf(error)
  }
  const inTime = (task: () => Promise<void>): Promise<void> =>
    limit(async () => {
      if (Date.now() > deadline) missed += 1
      else await task().catch(note)
    })
  try {
    await parkAlive(context, persistenceDirectory, inTime)
    const rest = new Set<Promise<void>>()
    for await (const [, record] of store.entries<JobRecord>(endedKey(config.name, ''))) {
      const parking = inTime(() => parkEnded(context, record)).finally(() => rest.delete(parking))
      rest.add(parking)
      if (rest.size >= AT_ONCE) await Promise.race(rest)
    }
    await Promise.all(rest)
  } catch (error) {
    note(error)
  }
  if (missed > 0)
    log.warn(
      `no time to leave ${missed} jobs as a Python Pulsar would find them; before you go back to one, start and stop this server once more`,
    )
  noteNotLeft(persistenceDirectory, config.name, reason)
  if (failed > 0) log.warn(`not all jobs could be left as a Python Pulsar would find them: ${reason}`)
}

/** @throws when nothing could be recorded: then nothing is left either */
async function parkAlive(
  context: ManagerContext,
  persistenceDirectory: string,
  inTime: (task: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { config, store } = context
  if (context.jobs.size === 0) return
  const key = parkedKey(config.name)
  const kinds: Record<string, IndexKind> = {}
  // However this is cut off, the next start knows that files were touched, and puts them back.
  const atMs = Date.now()
  await store.write([{ type: 'put', key, value: { atMs, kinds } satisfies Parked }])
  await Promise.all(
    [...context.jobs.values()].map((job) =>
      inTime(async () => {
        try {
          const kind = await parkJob(context, job, persistenceDirectory)
          if (kind) kinds[job.id] = kind
        } catch (error) {
          // In no index: a Python server that is asked for it all the same is to have its streams.
          await disk.takeBackJob(job.directory.path).catch(() => {})
          throw error
        }
      }),
    ),
  )
  const parked: Parked = { atMs: Date.now(), kinds }
  if (Object.keys(kinds).length > 0)
    await store.write([
      { type: 'put', key, value: parked },
      ...Object.entries(kinds).map(([id, index]) => journaled(context, id, { kind: 'handed-over', index })),
    ])
}

/** @returns its index; undefined when its directory is gone */
async function parkJob(
  context: ManagerContext,
  job: Job,
  persistenceDirectory: string,
): Promise<IndexKind | undefined> {
  const { config } = context
  await disk.openUp(job.directory.path)
  let kind = indexOf(job)
  let flags = flagsOf(job, kind)
  let keepsStreams = false
  if (kind === 'active' && !job.stopping && isLocal(config) && job.externalId === job.id) {
    if (!(await disk.exists(job.directory.path))) return undefined
    const hasQueue = config.type === 'queued_python'
    const hasBegun = await disk.leaveLocalJob(job.directory.path, job.directory.script, {
      hasQueue,
      template: waitTemplate(),
    })
    keepsStreams = hasBegun && hasQueue
    if (!hasBegun && !hasQueue) kind = 'preprocessing'
    const running = hasBegun ? { running: true } : {}
    flags = hasBegun || hasQueue ? { ...LAUNCHED, ...running } : flagsOf(job, kind)
  }
  if (kind === 'preprocessing' && config.type === 'queued_python') {
    await disk.leaveUnlaunchedJob(job.directory.path)
    flags = UNLAUNCHED
  }
  const indexFile = path.join(indexDirectory(persistenceDirectory, config.name, kind), job.id)
  const { path: directory } = job.directory
  return (await disk.park({ directory, flags, indexFile, keepsStreams })) ? kind : undefined
}

let template: string | undefined

function waitTemplate(): string {
  template ??= fs.readFileSync(new URL('../../templates/wait-for-job.sh', import.meta.url), 'utf8')
  return template
}

async function parkEnded(context: ManagerContext, record: JobRecord): Promise<void> {
  const final = record.status === 'lost' ? 'failed' : record.status
  await disk.park({
    directory: directoryOf(context, record.id).path,
    flags: { preprocessed: true, final_status: final, postprocessed: true },
  })
}

function indexOf(job: Job): IndexKind {
  if (job.stopping) return 'active'
  if (job.end) return 'postprocessing'
  return job.externalId === undefined ? 'preprocessing' : 'active'
}

const UNLAUNCHED = { preprocessed: undefined, submitted: undefined, external_id: undefined } as const
const LAUNCHED = { preprocessed: true, submitted: 'true', external_id: undefined } as const

/** undefined: a flag that must not be there. */
function flagsOf(job: Job, kind: IndexKind): Record<string, unknown> {
  if (job.stopping) return { preprocessed: true, cancelled: true, final_status: 'cancelled' }
  if (kind === 'preprocessing') return { ...UNLAUNCHED, command_line: undefined }
  if (kind === 'postprocessing') {
    const final = job.end?.status === 'complete' ? 'complete' : 'failed'
    return { preprocessed: true, final_status: final, submitted: undefined }
  }
  const running = job.status === 'running' ? { running: true } : {}
  return { ...LAUNCHED, external_id: job.idGivenAgain ? undefined : job.externalId, ...running }
}
