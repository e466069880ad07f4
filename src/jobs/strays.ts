import path from 'node:path'
import { messageOf } from '../lib/errors.js'
import { listDirectory } from '../lib/fs.js'
import { createLimit } from '../lib/limit.js'
import { livesByPid } from '../schedulers/foreign-process.js'
import { isLocal } from '../schedulers/index.js'
import { adoptJob, type Stranger } from './adopt-job.js'
import { jobDirectory } from './directory.js'
import { disk } from './disk/disk.js'
import type { PythonTraces } from './disk/python-traces.js'
import type { FoundStray, StrayProbe } from './disk/stray-probe.js'
import { directoryOf, INDEX_KINDS, indexDirectory, type Job, type ManagerContext } from './job.js'
import { RESERVED_DIRECTORY } from './job-id.js'
import type { IndexKind } from './park.js'
import { filesOf } from './python-outcome.js'
import { activeKey, endedKey } from './record.js'
import { recoverJobs } from './recover.js'

/** Jobs that are looked at together. */
const AT_ONCE = 16
/** Directories that one task of the disk looks at: some milliseconds. */
const PER_TASK = 250

/**
 * Takes over jobs that a Python server has launched and then dropped from its index (see stray-probe.ts), as it does with local jobs
 * that run while it is started. Call after the index is read. How far each came: outcomeOf, as if it stood in the index, but nothing is
 * launched whose script may have begun. Where several managers share a staging directory nobody can tell whose they are: there each is
 * taken over by the manager that is first asked for it (takeUpStray).
 * @param indexed jobs in the index: looked after already, or to be left alone
 */
export async function takeOverStrays(
  context: ManagerContext,
  indexed: ReadonlyMap<string, unknown>,
): Promise<void> {
  const { config, neighbours, jobs, log } = context
  if (neighbours.length > 0) return
  const names = (await listDirectory(config.stagingDirectory)).filter(
    (name) => name !== RESERVED_DIRECTORY && !jobs.has(name) && !indexed.has(name),
  )
  const limit = createLimit(AT_ONCE)
  const parts = Array.from({ length: Math.ceil(names.length / PER_TASK) }, (_, at) =>
    names.slice(at * PER_TASK, (at + 1) * PER_TASK),
  )
  const found: FoundStray[] = []
  for (const part of parts) found.push(...(await disk.findStrays(config.stagingDirectory, part)))
  const looked = await Promise.all(found.map((each) => limit(() => look(context, each))))
  const strays = looked.flatMap((stray) => stray ?? [])
  strays.sort((a, b) => (a.traces.submittedAtMs ?? 0) - (b.traces.submittedAtMs ?? 0))
  await Promise.all(strays.map((stray) => limit(() => adoptJob(context, stray))))
  if (strays.length > 0)
    log.info(
      `${strays.length === 1 ? 'one job' : `${strays.length} jobs`} found that a Python Pulsar had launched and dropped from its index`,
    )
}

/**
 * The same for one job, when somebody asks for it: nothing happens to one that is known, or was not handed over. Resolves when the
 * local scheduler watches it; a cluster may be away, and is asked in the background. Not under the job's lock.
 */
export async function takeUpStray(context: ManagerContext, jobId: string): Promise<void> {
  if (context.jobs.has(jobId) || context.recentlyEnded.get(jobId) !== undefined) return
  const job = await context.lock.run(jobId, () => takeOverStray(context, jobId))
  if (!job) return
  const recovered = recoverJobs(context, [job]).then(({ toLaunch, toBringIn }) => {
    toLaunch.forEach(context.relaunch)
    toBringIn.forEach(context.bringIn)
  })
  const noted = recovered.catch((error: unknown) => {
    if (!context.signal.aborted) context.log.error({ job: jobId }, `cannot be taken up: ${messageOf(error)}`)
  })
  if (isLocal(context.config)) await noted
}

async function takeOverStray(context: ManagerContext, jobId: string): Promise<Job | undefined> {
  try {
    const kinds = await indexKindsOf(context, jobId)
    if (kinds.size > 0) return await takeOverLeftAlone(context, jobId, kinds)
    const found = await disk.probeStray(directoryOf(context, jobId).path)
    const stray = found && (await look(context, { jobId, found }))
    return stray && (await adoptJob(context, stray)) ? context.jobs.get(jobId) : undefined
  } catch (error) {
    context.log.warn({ job: jobId }, `its directory cannot be looked at: ${messageOf(error)}`)
    return undefined
  }
}

/** One that stands in our index was left alone by the start of this server, as something of it could not be read: it may be by now. */
async function takeOverLeftAlone(
  context: ManagerContext,
  jobId: string,
  kinds: ReadonlySet<IndexKind>,
): Promise<Job | undefined> {
  if (await context.store.get(endedKey(context.config.name, jobId))) return undefined
  const traces = await disk.readPythonTraces(directoryOf(context, jobId).path)
  // Said when the server was started.
  if (!traces.exists || traces.isLaunchUnread) return undefined
  if (!(await adoptJob(context, { jobId, kinds, traces }))) return undefined
  // What stays is removed by the next start.
  for (const kind of kinds) await disk.removeFile(indexFile(context, kind, jobId)).catch(() => {})
  return context.jobs.get(jobId)
}

async function indexKindsOf(context: ManagerContext, jobId: string): Promise<ReadonlySet<IndexKind>> {
  const kinds = new Set<IndexKind>()
  if (context.persistenceDirectory === undefined) return kinds
  for (const kind of INDEX_KINDS) if (await disk.exists(indexFile(context, kind, jobId))) kinds.add(kind)
  return kinds
}

function indexFile(
  { persistenceDirectory = '', config }: ManagerContext,
  kind: IndexKind,
  jobId: string,
): string {
  return path.join(indexDirectory(persistenceDirectory, config.name, kind), jobId)
}

/** @returns undefined when it is not ours to take over */
async function look(context: ManagerContext, { jobId, found }: FoundStray): Promise<Stranger | undefined> {
  if (context.jobs.has(jobId) || (await context.store.get(endedKey(context.config.name, jobId))))
    return undefined
  const directory = jobDirectory(context.config.stagingDirectory, jobId)
  const lives = await orLeaveAlone(context, jobId, livesByPid(filesOf({ directory })))
  if (lives === undefined) return undefined
  if (found === 'cancelled and over' && !lives) return undefined
  if (await isTaken(context, jobId)) return undefined
  const traces = await orLeaveAlone(context, jobId, disk.readPythonTraces(directory.path))
  if (!traces) return undefined
  const reason = reasonToLeave(context, jobId, traces, { found, lives })
  if (reason !== undefined) {
    context.log.warn({ job: jobId }, `left by a Python Pulsar, and cannot be taken over: ${reason}`)
    return undefined
  }
  return {
    jobId,
    kinds: new Set(),
    traces: { ...traces, isHandedOver: true, isWaiting: traces.isWaiting && !traces.mayHaveBegun },
  }
}

/** What cannot be read just now is no reason not to start: the job is looked at again when somebody asks for it. */
async function orLeaveAlone<T>(
  { log, signal }: ManagerContext,
  jobId: string,
  looking: Promise<T>,
): Promise<T | undefined> {
  try {
    return await looking
  } catch (error) {
    if (signal.aborted) throw error
    log.warn({ job: jobId }, `left by a Python Pulsar, and cannot be taken over: ${messageOf(error)}`)
    return undefined
  }
}

function reasonToLeave(
  { config }: ManagerContext,
  jobId: string,
  traces: PythonTraces,
  { found, lives }: { readonly found: StrayProbe; readonly lives: boolean },
): string | undefined {
  if (!traces.exists) return 'its directory may not be entered'
  if (traces.isLaunchUnread) return `its launch_config ${traces.launchProblem}`
  const { externalId } = traces
  if (isLocal(config)) {
    if (externalId === undefined || externalId === jobId) return undefined
    return `it was given to a cluster, as ${externalId}, and the jobs of this manager run on this machine`
  }
  if (lives) return 'it runs on this machine, and the jobs of this manager on a cluster'
  if (found === 'under way' && externalId === undefined && traces.mayHaveBegun && !traces.hasReturnCode)
    return 'it may run on the cluster, and the id that it has there was not kept'
  return undefined
}

/** It stands in an index, where it was left alone, or another manager has it. */
async function isTaken(context: ManagerContext, jobId: string): Promise<boolean> {
  const { config, neighbours, store, persistenceDirectory } = context
  for (const name of neighbours)
    if ((await store.get(activeKey(name, jobId))) || (await store.get(endedKey(name, jobId)))) return true
  if (persistenceDirectory === undefined) return false
  for (const name of [config.name, ...neighbours]) {
    for (const kind of INDEX_KINDS)
      if (await disk.exists(path.join(indexDirectory(persistenceDirectory, name, kind), jobId))) return true
  }
  return false
}
