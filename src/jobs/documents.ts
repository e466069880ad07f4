import type { ManagerConfig } from '../config/types.js'
import type { JobDirectory } from './directory.js'
import type { ToolInfo } from './disk/setup.js'
import type { JobResults } from './disk/status.js'
import type { JobStatus, WireDocument } from './types.js'

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
  jobId: string,
  tool: ToolInfo,
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
    job_id: jobId,
    system_properties: systemProperties(manager),
    pulsar_version: version,
    preserve_galaxy_python_environment: null,
    ...(tool.toolId ? { tool_id: tool.toolId } : {}),
    ...(tool.toolVersion ? { tool_version: tool.toolVersion } : {}),
  }
}

/** The answer to status while the job is not done: strings, never booleans (manager_endpoint_util.py:full_status). */
export function unfinishedDocument(jobId: string, status: JobStatus): WireDocument {
  return { complete: 'false', status, job_id: jobId }
}

/**
 * The answer to status of a job that is done (manager_endpoint_util.py:__job_complete_dict). A job that failed or was lost also
 * says why, at the end of stderr: otherwise the reason never reaches Galaxy.
 */
export function finalDocument(
  jobId: string,
  status: JobStatus,
  directory: JobDirectory,
  results: JobResults,
  manager: ManagerConfig,
  version: string,
): WireDocument {
  const explained = status === 'failed' || status === 'lost'
  return {
    job_id: jobId,
    complete: 'true',
    status,
    returncode: results.returnCode ?? null,
    // Galaxy prefers what stands here to the files it was sent.
    stdout: results.streamsDelivered ? null : results.stdout,
    stderr: stderrOf(results, explained),
    job_stdout: results.jobStdout,
    job_stderr: results.jobStderr,
    working_directory: directory.working,
    metadata_directory: directory.metadata,
    job_directory: directory.path,
    working_directory_contents: results.working,
    metadata_directory_contents: results.metadata,
    outputs_directory_contents: results.outputs,
    job_directory_contents: results.top,
    system_properties: systemProperties(manager),
    pulsar_version: version,
    realized_dynamic_file_sources: results.dynamicFiles,
  }
}

function stderrOf(results: JobResults, explained: boolean): string | null {
  const sentences = [...(explained && results.reason ? [results.reason] : []), ...results.omitted]
  if (sentences.length > 0) return sentences.reduce(joinLines, results.stderr)
  return results.streamsDelivered ? null : results.stderr
}

function joinLines(first: string, second: string): string {
  return first === '' || first.endsWith('\n') ? first + second : `${first}\n${second}`
}
