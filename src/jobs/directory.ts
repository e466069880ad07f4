import path from 'node:path'

/** Directories that hold files sent and fetched (pulsar/managers/base/__init__.py:_setup_job_directory). */
export const FILE_DIRECTORIES = ['inputs', 'outputs', 'configs', 'tool_files', 'metadata'] as const

/** Directories in which a tool works. The Python server's job script makes `home` and `tmp`; from here that costs no process. */
export const WORK_DIRECTORIES = ['working', 'home', 'tmp'] as const

/** Where uploads can go to; `unstructured` is made by the first of its files. */
export const UPLOAD_DIRECTORIES = [...FILE_DIRECTORIES, 'working', 'unstructured'] as const

/** Says that this directory is a job's and ours to remove: nothing without it is ever removed. Holds the tool's id and version. */
export const MARKER = '.magnetar-job'

/** Paths of one job. Names are the Python server's (reference/job-lifecycle §2), so that either can take over. */
export interface JobDirectory {
  readonly path: string
  readonly inputs: string
  readonly working: string
  readonly outputs: string
  readonly configs: string
  readonly toolFiles: string
  readonly metadata: string
  readonly unstructured: string
  readonly script: string
  readonly returnCode: string
  /** All that the job made is on the disk: left by the process that waited for its script, when no server was there to be told. */
  readonly resultsSynced: string
  readonly launchConfig: string
  readonly jobStdout: string
  readonly jobStderr: string
}

export function jobDirectory(stagingDirectory: string, jobId: string): JobDirectory {
  const at = path.join(stagingDirectory, jobId)
  const metadata = path.join(at, 'metadata')
  return {
    path: at,
    inputs: path.join(at, 'inputs'),
    working: path.join(at, 'working'),
    outputs: path.join(at, 'outputs'),
    configs: path.join(at, 'configs'),
    toolFiles: path.join(at, 'tool_files'),
    metadata,
    unstructured: path.join(at, 'unstructured'),
    script: path.join(at, 'command.sh'),
    returnCode: path.join(at, 'return_code'),
    resultsSynced: path.join(at, '.magnetar-synced'),
    launchConfig: path.join(at, 'launch_config'),
    jobStdout: path.join(metadata, 'job_stdout'),
    jobStderr: path.join(metadata, 'job_stderr'),
  }
}
