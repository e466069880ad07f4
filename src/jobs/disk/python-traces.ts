import fs from 'node:fs'
import path from 'node:path'
import { MARKER } from '../directory.js'
import { readIfThere } from './end.js'
import { readLaunchConfig } from './launch-config.js'

/** What a Python server has left of a job (reference/job-lifecycle §2, §9). */
export interface PythonTraces {
  /** undefined: no directory, or no launch_config that can be read. */
  readonly remoteStaging: unknown
  readonly isSubmitted: boolean
  /** Handed to its runner. */
  readonly isLaunched: boolean
  /** Waiting in the queue of its local runner, not begun. */
  readonly isWaiting: boolean
  readonly launchFailed: boolean
  readonly externalId: string | undefined
  readonly finalStatus: string | undefined
  readonly hasReturnCode: boolean
}

export function readPythonTraces(directory: string): PythonTraces {
  const has = (name: string): boolean => fs.existsSync(path.join(directory, name))
  const launch = readLaunchConfig(directory)
  return {
    remoteStaging: launch?.remote_staging,
    isSubmitted: launch !== undefined,
    isLaunched: has('preprocessed'),
    isWaiting: has('command_line'),
    launchFailed: has('preprocessing_failed'),
    externalId: readText(directory, 'external_id'),
    finalStatus: readText(directory, 'final_status'),
    hasReturnCode: has('return_code'),
  }
}

/** Makes a Python server's job directory one of ours, so that it goes when the job is cleaned. */
export function claimJobDirectory(directory: string): void {
  const marker = path.join(directory, MARKER)
  if (fs.existsSync(marker)) return
  const tool = {
    toolId: readText(directory, 'tool_id') ?? '',
    toolVersion: readText(directory, 'tool_version') ?? '',
  }
  fs.writeFileSync(marker, JSON.stringify(tool))
}

/** A text that a Python server keeps as JSON; undefined also for what was cut off when it was killed. */
function readText(directory: string, name: string): string | undefined {
  try {
    const value: unknown = JSON.parse(readIfThere(path.join(directory, name)) ?? 'null')
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

/** Which of these files, by their places in the list, are not there or were changed after a time (milliseconds since 1970). */
export function changedSince(files: readonly string[], sinceMs: number): number[] {
  return files.flatMap((file, at) => {
    const found = fs.lstatSync(file, { throwIfNoEntry: false })
    return found && found.ctimeMs <= sinceMs ? [] : [at]
  })
}
