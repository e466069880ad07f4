import path from 'node:path'
import { touchFile } from '../lib/confined-file.js'
import { MagnetarError } from '../lib/errors.js'
import { exists, syncPath, syncTree } from '../lib/fs.js'
import { isJobDirectory, type JobDirectory, makeJobDirectory, writeFlag } from './directory.js'
import { uploadTarget } from './file-types.js'
import { changeStatus, directoryOf, type Job, jobFromRecord, type ManagerContext } from './job.js'
import { activeKey, endedKey, type JobRecord } from './record.js'
import type { SubmitRequest } from './types.js'

const JOB_TOKEN = '__PULSAR_JOB_DIRECTORY__'
const REMOVED_TOKEN = '__PULSAR_JOBS_DIRECTORY__'

/**
 * Records a submit so that it survives a power cut: first the uploaded files, then launch_config, then the record.
 * The order of steps is pulsar/manager_endpoint_util.py:submit_job. Resolves with the new job, or undefined when the
 * same submit was accepted before. Call under the job's lock.
 * @throws MagnetarError JOB_NOT_SET_UP, BAD_REQUEST, FILE_*, DISK_FULL: nothing is recorded then.
 */
export async function recordSubmit(
  context: ManagerContext,
  jobId: string,
  request: SubmitRequest,
): Promise<Job | undefined> {
  const directory = directoryOf(context, jobId)
  if (await isDuplicate(context, jobId)) {
    context.log.info({ job: jobId }, 'submitted again: already accepted, nothing to do')
    return undefined
  }
  let launch = request
  if (request.setup || Object.keys(request.setup_params).length > 0) {
    await makeJobDirectory(directory, context.config.jobDirectoryMode)
    await writeFlag(directory, 'tool_id', textOf(request.setup_params.tool_id))
    await writeFlag(directory, 'tool_version', textOf(request.setup_params.tool_version))
    const commandLine = request.command_line.replaceAll(JOB_TOKEN, directory.path)
    if (commandLine.includes(REMOVED_TOKEN)) {
      throw new MagnetarError(
        'BAD_REQUEST',
        `command_line contains ${REMOVED_TOKEN}, which Pulsar 0.16.0 no longer replaces`,
        {
          fix: `Use ${JOB_TOKEN} instead.`,
        },
      )
    }
    launch = { ...request, command_line: commandLine }
  } else if (!(await isJobDirectory(directory))) {
    throw new MagnetarError(
      'JOB_NOT_SET_UP',
      'the job was never set up, and the request carries no setup_params',
    )
  }
  for (const name of request.touch_outputs) {
    const { base, components } = uploadTarget(directory.path, 'output', name)
    await touchFile(base, components)
  }
  await writeFlag(directory, 'launch_config', launchConfig(launch))
  await syncJob(context, directory)

  const record: JobRecord = {
    id: jobId,
    status: 'preprocessing',
    sequence: context.nextSequence(),
    submittedAtMs: Date.now(),
  }
  await context.store.write([{ type: 'put', key: activeKey(context.config.name, jobId), value: record }])
  const job = jobFromRecord(context, record)
  context.jobs.set(jobId, job)
  changeStatus(context, job, 'queued')
  return job
}

/**
 * Puts what was uploaded on disk. An empty directory is nothing but its entry in the job directory; the small flag files
 * can be lost without harm.
 */
async function syncJob(context: ManagerContext, directory: JobDirectory): Promise<void> {
  const { inputs, working, outputs, configs, toolFiles, metadata, unstructured } = directory
  await Promise.all([
    ...[inputs, working, outputs, configs, toolFiles, metadata, unstructured].map(syncTree),
    syncPath(directory.launchConfig),
    syncPath(directory.path),
    syncPath(context.config.stagingDirectory),
  ])
}

/** Accepted before and not cleaned since, by us or by a Python server (job-lifecycle §9, rest §3.1). */
async function isDuplicate(context: ManagerContext, jobId: string): Promise<boolean> {
  if (context.jobs.has(jobId)) return true
  if ((await context.store.get(endedKey(context.config.name, jobId))) !== undefined) return true
  return exists(path.join(directoryOf(context, jobId).path, 'final_status'))
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

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : String(value)
}
