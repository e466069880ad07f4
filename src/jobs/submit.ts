import fs from 'node:fs'
import { promisify } from 'node:util'
import { MagnetarError, messageOf } from '../lib/errors.js'
import { checkRemoteStaging, checkStagingShape } from '../staging/check-remote-staging.js'
import type { SetupEntry } from '../staging/setup-action.js'
import { beginWithSubmit, promisePlace } from './begin-note.js'
import { UPLOAD_DIRECTORIES } from './directory.js'
import { disk } from './disk/disk.js'
import { uploadTarget } from './file-types.js'
import { changeStatus, directoryOf, type Job, jobFromRecord, type ManagerContext } from './job.js'
import { journaled } from './journal/note.js'
import { wantsLiveOutput } from './live-output-post.js'
import { activeKey, endedKey, type JobRecord } from './record.js'
import { hasRequirements } from './requirements.js'
import { wantsStageIn } from './stage-in.js'
import { forgetTransfers } from './transfer-notes.js'
import type { SubmitRequest } from './types.js'
import { wantsStageOut } from './wants-stage-out.js'

const JOB_TOKEN = '__PULSAR_JOB_DIRECTORY__'
const REMOVED_TOKEN = '__PULSAR_JOBS_DIRECTORY__'

const fsync = promisify(fs.fsync)

/** A job that was just recorded, with what it is to run. */
export interface Submitted {
  readonly job: Job
  readonly launch: SubmitRequest
}

/**
 * Records a submit so that it survives a power cut: first the uploaded files and launch_config are put on disk, then the record.
 * The order of steps is pulsar/manager_endpoint_util.py:submit_job. Resolves with undefined when the same submit was accepted
 * before, and with `handed over` when a Python server has launched it of which nobody knows: see takeUpStray. Call under the job's lock.
 * @throws MagnetarError JOB_NOT_SET_UP, BAD_REQUEST, FILE_*, DISK_FULL: nothing is recorded then.
 */
export async function recordSubmit(
  context: ManagerContext,
  jobId: string,
  request: SubmitRequest,
): Promise<Submitted | 'handed over' | undefined> {
  const directory = directoryOf(context, jobId)
  if (
    context.jobs.has(jobId) ||
    (await context.store.get(endedKey(context.config.name, jobId))) !== undefined
  ) {
    return alreadyAccepted(context, jobId)
  }
  const setsUp = request.setup || Object.keys(request.setup_params).length > 0
  const launch = setsUp
    ? { ...request, command_line: replaceTokens(request.command_line, directory.path) }
    : request
  const stagesIn = wantsStageIn(launch.remote_staging)
  const stagesOut = wantsStageOut(launch.remote_staging)
  checkStagingShape(launch.remote_staging)
  if (stagesIn || stagesOut) checkNames(directory.path, checkRemoteStaging(launch.remote_staging, stagesOut))
  const launchText = toText(launchConfig(launch))
  const written = await disk.writeSubmit({
    directory: directory.path,
    stagingDirectory: context.config.stagingDirectory,
    setup: setsUp
      ? {
          tool: {
            toolId: textOf(request.setup_params.tool_id),
            toolVersion: textOf(request.setup_params.tool_version),
          },
          mode: context.config.jobDirectoryMode,
        }
      : undefined,
    touch: request.touch_outputs.map((name) => uploadTarget(directory.path, 'output', name)),
    launchConfig: launchText,
    uploads: UPLOAD_DIRECTORIES,
  })
  if (written.outcome === 'duplicate') return alreadyAccepted(context, jobId)
  if (written.outcome === 'handed over') {
    alreadyAccepted(context, jobId)
    return 'handed over'
  }
  if (written.outcome === 'not set up') {
    throw new MagnetarError(
      'JOB_NOT_SET_UP',
      'the job was never set up, and the request carries no setup_params',
    )
  }
  await syncAll(written.toSync)

  const submittedAtMs = Date.now()
  const record: JobRecord = {
    id: jobId,
    status: 'preprocessing',
    sequence: context.nextSequence(),
    submittedAtMs,
    ...(written.tool?.toolId ? { tool: written.tool } : {}),
    history: [{ status: 'preprocessing', atMs: submittedAtMs }],
    ...(stagesIn ? { stagesIn: true as const } : {}),
    ...(stagesOut || wantsLiveOutput(context.config, launch.remote_staging)
      ? { stagesOut: true as const }
      : {}),
  }
  // Of an earlier job of the same id.
  if (record.stagesIn || record.stagesOut) await forgetTransfers(context.store, context.config.name, jobId)
  const launchesNow = !stagesIn && !(context.dependencies && hasRequirements(launch.dependencies_description))
  let job: Job
  const begins = launchesNow && promisePlace(context, jobId)
  try {
    await context.store.write([
      { type: 'put', key: activeKey(context.config.name, jobId), value: record },
      ...beginWithSubmit(context, jobId, begins),
      journaled(context, jobId, {
        kind: 'submitted',
        ...(record.stagesIn ? { stagesIn: true } : {}),
        ...(record.stagesOut ? { stagesOut: true } : {}),
      }),
    ])
    job = jobFromRecord(context, record)
    if (begins) job.begin = { bootId: context.bootId }
    context.jobs.set(jobId, job)
  } finally {
    context.promised.delete(jobId)
  }
  if (!job.stagesIn) changeStatus(context, job, 'queued')
  return { job, launch }
}

function alreadyAccepted(context: ManagerContext, jobId: string): undefined {
  context.log.info({ job: jobId }, 'submitted again: already accepted, nothing to do')
}

/** All at once: the file system then writes its journal once for all of them. */
async function syncAll(descriptors: readonly number[]): Promise<void> {
  const results = await Promise.allSettled(descriptors.map((fd) => fsync(fd)))
  for (const fd of descriptors) fs.close(fd)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

/** pulsar/manager_endpoint_util.py [0.16.0]: only in a submit that sets the job up. */
function replaceTokens(commandLine: string, jobDirectory: string): string {
  const replaced = commandLine.replaceAll(JOB_TOKEN, () => jobDirectory)
  if (replaced.includes(REMOVED_TOKEN)) {
    throw new MagnetarError(
      'BAD_REQUEST',
      `command_line contains ${REMOVED_TOKEN}, which Pulsar 0.16.0 no longer replaces`,
      { fix: `Use ${JOB_TOKEN} instead.` },
    )
  }
  return replaced
}

/** The keys of `launch_config`, as the Python server writes and reads them (pulsar/managers/stateful.py). */
function launchConfig(launch: SubmitRequest): Record<string, unknown> {
  return {
    remote_staging: launch.remote_staging,
    command_line: launch.command_line,
    dependencies_description: launch.dependencies_description,
    submit_params: launch.submit_params,
    env: launch.env,
    setup_params: launch.setup_params,
    dynamic_file_sources: launch.dynamic_file_sources,
    token_endpoint: launch.token_endpoint,
  }
}

/** @throws MagnetarError BAD_REQUEST for an input that could never get its name */
function checkNames(directory: string, setup: readonly SetupEntry[]): void {
  for (const { type, name } of setup) {
    try {
      uploadTarget(directory, type, name)
    } catch (error) {
      const what = `${type.slice(0, 40)} ${JSON.stringify(name.slice(0, 200))} in setup`
      throw new MagnetarError('BAD_REQUEST', `remote_staging cannot be used: ${what}: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }
}

function toText(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new MagnetarError('BAD_REQUEST', 'the parameters of the submit are nested too deeply to be kept', {
      cause: error,
    })
  }
}

function textOf(value: unknown): string {
  // The text of a list in a list in a list … is as deep as they are.
  return value === null || value === undefined || typeof value === 'object' ? '' : String(value)
}
