import path from 'node:path'
import { errnoOf } from '../lib/errors.js'
import { exists, makeDirectory, readFileIfThere, writeSmallFile } from '../lib/fs.js'

/** Directories made at setup (pulsar/managers/base/__init__.py:_setup_job_directory). */
const SUBDIRECTORIES = ['inputs', 'working', 'outputs', 'configs', 'tool_files', 'metadata'] as const

/** Says that this directory is a job's and ours to remove: nothing without it is ever removed. */
const MARKER = '.magnetar-job'

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
  readonly launchConfig: string
  readonly jobStdout: string
  readonly jobStderr: string
  /** Reason of a failure, raw text. */
  readonly stderr: string
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
    launchConfig: path.join(at, 'launch_config'),
    jobStdout: path.join(metadata, 'job_stdout'),
    jobStderr: path.join(metadata, 'job_stderr'),
    stderr: path.join(at, 'stderr'),
  }
}

/**
 * Makes the directory tree of a job and marks it as ours. What is there already stays, so a repeated setup is fine; a
 * directory of that name which is not ours and not empty of jobs (a Python server's) keeps its files and gets no marker.
 */
export async function makeJobDirectory(directory: JobDirectory, mode: number | undefined): Promise<void> {
  const made = await makeDirectory(directory.path, mode)
  // A Python server's directory has tool_id before it has anything else; one without it was ours, cut off at its start.
  const mark = made || !((await isOurs(directory)) || (await exists(path.join(directory.path, 'tool_id'))))
  const parts: Promise<unknown>[] = SUBDIRECTORIES.map((name) =>
    makeDirectory(path.join(directory.path, name), mode),
  )
  if (mark) parts.push(writeSmallFile(path.join(directory.path, MARKER), ''))
  await Promise.all(parts)
}

export function isJobDirectory(directory: JobDirectory): Promise<boolean> {
  return exists(directory.path)
}

/** Whether the directory carries our marker; only then may it be removed. */
export function isOurs(directory: JobDirectory): Promise<boolean> {
  return exists(path.join(directory.path, MARKER))
}

/** Writes a small "metadata file" of the Python server: one JSON value, whose existence alone is often the flag. */
export function writeFlag(directory: JobDirectory, name: string, value: unknown): Promise<void> {
  return writeSmallFile(path.join(directory.path, name), JSON.stringify(value))
}

/** Like writeFlag, for a job whose directory may be gone by now: then nothing happens. */
export async function writeFlagIfThere(directory: JobDirectory, name: string, value: unknown): Promise<void> {
  try {
    await writeFlag(directory, name, value)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/**
 * The tool's return code, once the script has written it whole. The script writes "4\n" in one go, but a reader can see
 * the file before its content: without the newline it counts as not there yet (the Python server writes "-9" without one
 * for a killed job; `final` takes that too). undefined: none.
 */
export async function readReturnCode(directory: JobDirectory, final: boolean): Promise<number | undefined> {
  const text = (await readFileIfThere(directory.returnCode))?.toString('latin1')
  if (text === undefined || (!final && !text.endsWith('\n'))) return undefined
  const code = Number.parseInt(text, 10)
  return Number.isInteger(code) ? code : undefined
}
