import fs from 'node:fs'
import path from 'node:path'
import { lstatIfThere } from '../../lib/lstat-if-there.js'
import { replaceOwnFile } from '../../lib/own-file.js'
import { MARKER } from '../directory.js'
import { readIfThere } from './end.js'
import { readLaunchConfig } from './launch-config.js'
import { launchProblem, probeLaunchConfig } from './launch-probe.js'
import type { ToolInfo } from './setup.js'
import { readStream } from './streams.js'

/** It goes into the log, the journal and the job's record. */
const FAILURE_LIMIT_BYTES = 16 * 1024
/** No id is longer. */
const MAX_TEXT = 4096

/** What a Python server has left of a job (reference/job-lifecycle §2, §9). */
export interface PythonTraces {
  /** undefined: no directory, or no launch_config that can be read. */
  readonly remoteStaging: unknown
  /** What is wrong with launch_config, to follow "its launch_config"; undefined: nothing. */
  readonly launchProblem: string | undefined
  /** That there is one, and that it may not be read, at least now: nothing may be concluded. */
  readonly isLaunchUnread: boolean
  /** Handed to its runner. */
  readonly isLaunched: boolean
  /** Waiting in the queue of its local runner, not begun. */
  readonly isWaiting: boolean
  readonly launchFailed: boolean
  /** Why, in the Python server's words. */
  readonly failure: string | undefined
  readonly isCancelled: boolean
  /** Launching it had begun. */
  readonly isHandedOver: boolean
  /** The files for the streams of its script are there: made right before the script is started. */
  readonly mayHaveBegun: boolean
  /** When its script last wrote to them, milliseconds since 1970. */
  readonly lastSignMs: number | undefined
  readonly exists: boolean
  readonly tool: ToolInfo
  /** When launch_config was written, milliseconds since 1970. */
  readonly submittedAtMs: number | undefined
  readonly externalId: string | undefined
  readonly finalStatus: string | undefined
  readonly hasReturnCode: boolean
}

export function readPythonTraces(directory: string): PythonTraces {
  const has = (name: string): boolean => fs.existsSync(path.join(directory, name))
  const launch = probeLaunchConfig(directory)
  const sign = signOfScript(path.join(directory, 'metadata/job_stdout'))
  return {
    remoteStaging: launch.config?.remote_staging,
    launchProblem: launchProblem(launch),
    isLaunchUnread: launch.isUnread ?? false,
    isLaunched: has('preprocessed'),
    // Not the link that leaveUnlaunchedJob has put there.
    isWaiting: lstatIfThere(path.join(directory, 'command_line'))?.isFile() === true,
    launchFailed: has('preprocessing_failed'),
    failure: has('preprocessing_failed')
      ? readStream(directory, 'stderr', FAILURE_LIMIT_BYTES)?.trim()
      : undefined,
    isCancelled: has('cancelled'),
    isHandedOver: has('preprocessed') || has('submitted'),
    mayHaveBegun: sign !== undefined || has('.magnetar-job_stdout'),
    lastSignMs: sign?.atMs,
    exists: has('.'),
    tool: toolOf(directory),
    submittedAtMs: lstatIfThere(path.join(directory, 'launch_config'))?.mtimeMs,
    externalId: readText(directory, 'external_id'),
    finalStatus: readText(directory, 'final_status'),
    hasReturnCode: has('return_code'),
  }
}

/** What the script of a job writes to, when it last did; undefined: it was never there. */
function signOfScript(file: string): { readonly atMs: number | undefined } | undefined {
  try {
    const found = fs.lstatSync(file, { throwIfNoEntry: false })
    return found && { atMs: found.mtimeMs }
  } catch {
    // Its directory is closed, or something else is in its place: a tool's doing, so one has run.
    return { atMs: undefined }
  }
}

/** What the setup of a Python server makes (pulsar/managers/base/directory.py:_setup_job_for_job_id): nothing else has all of it. */
const SETUP = ['tool_id', 'tool_version', 'inputs', 'outputs', 'working', 'metadata', 'configs', 'tool_files']

/** Whether this is a job directory that a Python server has made, or submitted. */
export function isPythonJobDirectory(directory: string): boolean {
  return (
    SETUP.every((name) => fs.existsSync(path.join(directory, name))) ||
    readLaunchConfig(directory) !== undefined
  )
}

/** Makes a Python server's job directory one of ours, so that it goes when the job is cleaned. */
export function claimJobDirectory(directory: string): void {
  replaceOwnFile(directory, MARKER, JSON.stringify(toolOf(directory)))
}

function toolOf(directory: string): ToolInfo {
  return {
    toolId: readText(directory, 'tool_id') ?? '',
    toolVersion: readText(directory, 'tool_version') ?? '',
  }
}

/** An id or a status that a Python server keeps as JSON; undefined also for what was cut off when it was killed, or is far too long for one. */
export function readText(directory: string, name: string): string | undefined {
  try {
    const value: unknown = JSON.parse(readIfThere(path.join(directory, name)) ?? 'null')
    return typeof value === 'string' && value.length <= MAX_TEXT ? value : undefined
  } catch {
    return undefined
  }
}

/** Which of these files, by their places in the list, are not there or were changed after a time (milliseconds since 1970). */
export function changedSince(files: readonly string[], sinceMs: number): number[] {
  return files.flatMap((file, at) => {
    const found = lstatIfThere(file)
    return found && found.ctimeMs <= sinceMs ? [] : [at]
  })
}
