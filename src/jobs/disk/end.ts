import fs from 'node:fs'
import path from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import { readOwnFile, replaceOwnFile } from '../../lib/own-file.js'
import { openUp } from './open-up.js'

/**
 * The tool's return code, once the script has written it whole. The script writes "4\n" in one go, but a reader can see the
 * file before its content: without the newline it counts as not there yet (the Python server writes "-9" without one for a
 * killed job; `final` takes that too). undefined: none.
 */
export function readReturnCode(directory: string, final: boolean): number | undefined {
  const text = readIfThere(path.join(directory, 'return_code'))
  if (text === undefined || (!final && !text.endsWith('\n'))) return undefined
  const code = Number.parseInt(text, 10)
  return Number.isInteger(code) ? code : undefined
}

/**
 * At the announced end of a script: its return code, if it is written whole and no larger than `lastPlain`; the announcements are
 * then removed, having served their purpose. undefined: the scheduler has to be asked.
 */
export function readEnd(directory: string, lastPlain: number, events: readonly string[]): number | undefined {
  openUp(directory)
  const code = readReturnCode(directory, false)
  if (code === undefined || code > lastPlain) return undefined
  for (const file of events) removeFile(file)
  return code
}

export interface EndFiles {
  readonly directory: string
  /** Goes to `stderr` in the job directory, from where the final status takes it. */
  readonly reason: string | undefined
  /** For a script that left no return code. */
  readonly exitCode: number | undefined
  /** Announcements of the script, which have served their purpose. */
  readonly events: readonly string[]
}

/** Writes what the end of a job leaves in its directory; a directory that is gone by now is no error. */
export function writeEnd({ directory, reason, exitCode, events }: EndFiles): void {
  for (const file of events) removeFile(file)
  openUp(directory)
  if (reason !== undefined) replaceOwnFile(directory, 'stderr', `${reason}\n`)
  if (exitCode !== undefined && readReturnCode(directory, true) === undefined)
    replaceOwnFile(directory, 'return_code', `${exitCode}\n`)
}

/** What the script and whoever waits for it write at their end, each at a name that leads through whatever has it. */
const WRITTEN_BY_NAME = ['pid', 'return_code', '.magnetar-exit', '.magnetar-synced']

/**
 * Writes the job script. A new file each time: a bash that is still running an older one goes on reading that. Links, pipes and
 * directories that somebody has put where it will write are removed: it would write elsewhere, or never end.
 */
export function writeScript(file: string, text: string): void {
  for (const name of WRITTEN_BY_NAME) {
    const written = path.join(path.dirname(file), name)
    const found = fs.lstatSync(written, { throwIfNoEntry: false })
    if (found && !found.isFile()) fs.rmSync(written, { recursive: true, force: true })
  }
  removeFile(file)
  fs.writeFileSync(file, text, { mode: 0o700, flag: 'wx' })
}

export function removeFile(file: string): void {
  try {
    fs.unlinkSync(file)
  } catch (error) {
    // A directory, which a job may have made, is no file.
    if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(error) ?? '')) throw error
  }
}

/** Small files that flag a state for a Python server (one JSON value each); a directory that is gone is no error. */
export function writeFlags(directory: string, flags: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(flags)) replaceOwnFile(directory, name, JSON.stringify(value))
}

/** The text of a small file; undefined when it does not exist, or is no regular file. */
export function readIfThere(file: string): string | undefined {
  return readOwnFile(file)
}
