import { randomUUID } from 'node:crypto'
import { MagnetarError } from '../lib/errors.js'
import { pause } from '../lib/timing.js'
import { cancelJob } from './cancel.js'
import { cleanJob } from './clean.js'
import type { JobDirectory } from './directory.js'
import { disk } from './disk/disk.js'
import { finalDocument, setupDocument, unfinishedDocument } from './documents.js'
import { downloadSource, uploadTarget } from './file-types.js'
import { directoryOf, type ManagerContext } from './job.js'
import { checkJobId } from './job-id.js'
import type { LaunchQueue } from './launch-queue.js'
import { endedKey, type JobRecord } from './record.js'
import type { StagingWork } from './staging-work.js'
import { takeUpStray } from './strays.js'
import { recordSubmit } from './submit.js'
import { isDone } from './transitions.js'
import type { JobManager, JobStatus } from './types.js'

/** What clients may ask of one manager; each call validates the job id first. */
export function createJobManager(
  context: ManagerContext,
  launches: LaunchQueue,
  staging: StagingWork,
): JobManager {
  const { config, store, version } = context
  const streamLimitBytes = config.maximumStreamSizeBytes ?? Number.MAX_SAFE_INTEGER

  const newDirectory = ({ path: directory }: JobDirectory) => ({
    directory,
    stagingDirectory: config.stagingDirectory,
    mode: config.jobDirectoryMode,
  })

  async function recordedStatus(jobId: string): Promise<JobStatus | undefined> {
    return (
      context.jobs.get(jobId)?.status ??
      context.recentlyEnded.get(jobId) ??
      (await store.get<JobRecord>(endedKey(config.name, jobId)))?.status
    )
  }

  async function statusWithoutRecord(jobId: string, directory: string): Promise<JobStatus> {
    const status = await disk.statusWithoutRecord(directory)
    if (status === 'lost') await disk.demandStaging(config.stagingDirectory)
    if (status !== 'preprocessing') return status
    await takeUpStray(context, jobId)
    return (await recordedStatus(jobId)) ?? status
  }

  return {
    name: config.name,
    async setup({ jobId, toolId = '', toolVersion = '' }) {
      const id = config.assignIds === 'uuid' ? randomUUID().replaceAll('-', '') : checkJobId(jobId)
      const directory = directoryOf(context, id)
      const tool = { toolId, toolVersion }
      const spare = context.trash.takeSpare()
      await disk.makeJobDirectory({ ...newDirectory(directory), tool, spare })
      context.recentlySeen.set(id, true)
      return setupDocument(directory, id, tool, config, version)
    },
    async submit(jobId, request) {
      await untilGone(context, checkJobId(jobId))
      const submitted = await context.lock.run(jobId, () => recordSubmit(context, jobId, request))
      if (submitted === 'handed over') return takeUpStray(context, jobId)
      if (!submitted) return
      if (submitted.job.stagesIn) return staging.bringIn(submitted.job, submitted.launch)
      launches.add(submitted.job, submitted.launch)
      await launches.room()
    },
    async status(jobId) {
      const directory = directoryOf(context, checkJobId(jobId))
      const status = (await recordedStatus(jobId)) ?? (await statusWithoutRecord(jobId, directory.path))
      if (!isDone(status)) return unfinishedDocument(jobId, status)
      const results = await disk.readResults(directory.path, streamLimitBytes)
      if (results.top.length === 0) await disk.demandStaging(config.stagingDirectory)
      return finalDocument(jobId, status, directory, results, config, version)
    },
    async cancel(jobId) {
      await takeUpStray(context, checkJobId(jobId))
      await context.lock.run(jobId, () => cancelJob(context, jobId))
    },
    async clean(jobId) {
      if (!config.debug) await takeUpStray(context, checkJobId(jobId))
      await context.lock.run(checkJobId(jobId), () => cleanJob(context, jobId))
    },
    async uploadPath(jobId, type, name) {
      const directory = directoryOf(context, checkJobId(jobId))
      const target = uploadTarget(directory.path, type, name)
      // A client with a jobs_directory uploads first and has the job set up by the submit.
      if (!context.recentlySeen.get(jobId)) {
        await disk.makeJobDirectoryIfMissing(newDirectory(directory))
        context.recentlySeen.set(jobId, true)
      }
      return target
    },
    downloadPath: (jobId, type, name) =>
      downloadSource(directoryOf(context, checkJobId(jobId)).path, type, name),
  }
}

const STOP_WAIT_MS = 20_000
const STOP_CHECK_MS = 50

/** A job that was cleaned while it ran may still be stopping: a new one of the same id waits for that. */
async function untilGone(context: ManagerContext, jobId: string): Promise<void> {
  const deadline = Date.now() + STOP_WAIT_MS
  while (context.jobs.get(jobId)?.cleaned) {
    if (Date.now() > deadline || context.signal.aborted) {
      throw new MagnetarError(
        'JOB_STOPPING',
        'an earlier job of this id was cleaned while it ran and has not stopped yet',
      )
    }
    await pause(STOP_CHECK_MS, context.signal)
  }
}
