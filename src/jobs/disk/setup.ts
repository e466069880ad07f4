import fs from 'node:fs'
import path from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import { MARKER, SUBDIRECTORIES } from '../directory.js'

export interface ToolInfo {
  readonly toolId: string
  readonly toolVersion: string
}

/**
 * Makes the directory tree of a job and marks it as ours. What is there already stays, so a repeated setup is fine. A Python
 * server's directory (it has tool_id before anything else) is not marked, and so never removed.
 * @param mode of mkdir; the umask applies
 */
export function makeJobDirectory(directory: string, mode: number | undefined, tool: ToolInfo): void {
  const made = makeDirectory(directory, mode)
  for (const name of SUBDIRECTORIES) makeDirectory(path.join(directory, name), mode)
  const marker = path.join(directory, MARKER)
  const ours = made || fs.existsSync(marker) || !fs.existsSync(path.join(directory, 'tool_id'))
  if (ours) fs.writeFileSync(marker, JSON.stringify(tool))
}

/** Makes the directory of a job that is uploaded to before it is set up; one that exists is left as it is. */
export function makeJobDirectoryIfMissing(directory: string, mode: number | undefined): void {
  if (!fs.existsSync(directory)) makeJobDirectory(directory, mode, { toolId: '', toolVersion: '' })
}

function makeDirectory(directory: string, mode: number | undefined): boolean {
  try {
    fs.mkdirSync(directory, mode)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/**
 * Moves a job directory out of sight, to be removed from there, if it carries our marker.
 * @returns false when it is not there or not ours
 */
export function discardJobDirectory(directory: string, target: string): boolean {
  if (!fs.existsSync(path.join(directory, MARKER))) return false
  fs.renameSync(directory, target)
  return true
}
