import fs from 'node:fs'
import path from 'node:path'
import type { ManagerConfig } from '../config/types.js'
import { listDirectory, readFileIfThere } from '../lib/fs.js'
import { type JobDirectory, readReturnCode } from './directory.js'
import { readStream } from './streams.js'
import type { JobStatus, WireDocument } from './types.js'

/** Galaxy keeps at most this much of a tool's stream (pulsar/manager_endpoint_util.py [0.16.0]). */
const TOOL_STREAM_LIMIT_BYTES = 65536

/** `system_properties` of setup and status (pulsar/managers/base/__init__.py:__init_system_properties). */
export function systemProperties(manager: ManagerConfig): WireDocument {
  const properties = {
    separator: '/',
    galaxy_home: manager.galaxyHome,
    galaxy_virtual_env: manager.galaxyVirtualEnv,
    galaxy_config_file: manager.galaxyConfigFile,
    galaxy_dataset_files_path: manager.galaxyDatasetFilesPath,
    galaxy_datatypes_config_file: manager.galaxyDatatypesConfigFile,
  }
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined))
}

/** The answer to setup (pulsar/client/setup_handler.py:build_job_config); keys in the Python server's order. */
export function setupDocument(
  directory: JobDirectory,
  job: { id: string; toolId: string; toolVersion: string },
  manager: ManagerConfig,
  version: string,
): WireDocument {
  return {
    job_directory: directory.path,
    working_directory: directory.working,
    metadata_directory: directory.metadata,
    outputs_directory: directory.outputs,
    configs_directory: directory.configs,
    tools_directory: directory.toolFiles,
    inputs_directory: directory.inputs,
    unstructured_files_directory: directory.unstructured,
    path_separator: '/',
    job_id: job.id,
    system_properties: systemProperties(manager),
    pulsar_version: version,
    preserve_galaxy_python_environment: null,
    ...(job.toolId ? { tool_id: job.toolId } : {}),
    ...(job.toolVersion ? { tool_version: job.toolVersion } : {}),
  }
}

/** The answer to status while the job is not done: strings, never booleans (manager_endpoint_util.py:full_status). */
export function unfinishedDocument(jobId: string, status: JobStatus): WireDocument {
  return { complete: 'false', status, job_id: jobId }
}

/**
 * The answer to status of a job that is done (manager_endpoint_util.py:__job_complete_dict), read from its directory.
 * A job that failed or was lost also says why, at the end of stderr: otherwise the reason never reaches Galaxy.
 */
export async function finalDocument(
  jobId: string,
  status: JobStatus,
  directory: JobDirectory,
  manager: ManagerConfig,
  version: string,
): Promise<WireDocument> {
  const limit = manager.maximumStreamSizeBytes ?? Number.MAX_SAFE_INTEGER
  const tool = async (name: string): Promise<string> =>
    (await readStream(directory.metadata, name, Math.min(limit, TOOL_STREAM_LIMIT_BYTES))) ??
    (await readStream(directory.path, name, Math.min(limit, TOOL_STREAM_LIMIT_BYTES))) ??
    ''
  const [
    returncode,
    stdout,
    stderr,
    jobStdout,
    jobStderr,
    reason,
    working,
    metadata,
    outputs,
    top,
    realized,
  ] = await Promise.all([
    readReturnCode(directory, true),
    tool('tool_stdout'),
    tool('tool_stderr'),
    readStream(directory.metadata, 'job_stdout', limit),
    readStream(directory.metadata, 'job_stderr', limit),
    status === 'failed' || status === 'lost'
      ? readStream(directory.path, 'stderr', TOOL_STREAM_LIMIT_BYTES)
      : undefined,
    listFiles(directory.working),
    listFiles(directory.metadata),
    listFiles(directory.outputs),
    listDirectory(directory.path),
    realizeDynamicFiles(directory),
  ])
  return {
    job_id: jobId,
    complete: 'true',
    status,
    returncode: returncode ?? null,
    stdout,
    stderr: reason ? `${stderr}${stderr && !stderr.endsWith('\n') ? '\n' : ''}${reason}` : stderr,
    job_stdout: jobStdout ?? '',
    job_stderr: jobStderr ?? '',
    working_directory: directory.working,
    metadata_directory: directory.metadata,
    job_directory: directory.path,
    working_directory_contents: working,
    metadata_directory_contents: metadata,
    outputs_directory_contents: outputs,
    job_directory_contents: top.map((entry) => entry.name),
    system_properties: systemProperties(manager),
    pulsar_version: version,
    realized_dynamic_file_sources: realized,
  }
}

/** Files below a directory, relative; symbolic links are listed when they lead to a file, never descended. */
async function listFiles(directory: string): Promise<string[]> {
  const files: string[] = []
  // A tool may have put a link in place of its directory; what that leads to is not the job's.
  const waiting = (await isRealDirectory(directory)) ? [''] : []
  for (let prefix = waiting.pop(); prefix !== undefined; prefix = waiting.pop()) {
    for (const entry of await listDirectory(path.join(directory, prefix))) {
      const name = prefix ? `${prefix}/${entry.name}` : entry.name
      if (entry.isDirectory()) waiting.push(name)
      else if (entry.isFile()) files.push(name)
      else if (entry.isSymbolicLink() && (await leadsToFile(path.join(directory, name)))) files.push(name)
    }
  }
  return files
}

function isRealDirectory(directory: string): Promise<boolean> {
  return new Promise((resolve) =>
    fs.lstat(directory, (error, found) => resolve(!error && found.isDirectory())),
  )
}

function leadsToFile(file: string): Promise<boolean> {
  return new Promise((resolve) => fs.stat(file, (error, found) => resolve(!error && !found.isDirectory())))
}

interface DynamicFileSource {
  readonly path?: unknown
}

/** Files of `dynamic_file_sources` which the tool wrote, with their text; absent ones are left out. */
async function realizeDynamicFiles(directory: JobDirectory): Promise<WireDocument[]> {
  const text = await readFileIfThere(directory.launchConfig)
  if (!text) return []
  const sources: unknown = (JSON.parse(text.toString('utf8')) as { dynamic_file_sources?: unknown })
    .dynamic_file_sources
  if (!Array.isArray(sources)) return []
  const realized: WireDocument[] = []
  for (const source of sources as DynamicFileSource[]) {
    if (typeof source?.path !== 'string') continue
    const contents = await readStream(directory.working, source.path, MAX_DYNAMIC_FILE_BYTES)
    if (contents !== undefined) realized.push({ ...source, contents })
  }
  return realized
}

/** A galaxy.json larger than this is no description of outputs; the answer must stay bounded. */
const MAX_DYNAMIC_FILE_BYTES = 64 * 1024 * 1024
