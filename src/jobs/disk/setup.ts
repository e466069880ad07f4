import fs from 'node:fs'
import path from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import { readOwnFile, replaceOwnFile } from '../../lib/own-file.js'
import { emptyTree, removeTree } from '../../lib/remove-tree.js'
import { FILE_DIRECTORIES, MARKER, WORK_DIRECTORIES } from '../directory.js'
import { openUp } from './open-up.js'
import { isPythonJobDirectory } from './python-traces.js'
import { demandStaging } from './staging-mark.js'

export interface ToolInfo {
  readonly toolId: string
  readonly toolVersion: string
}

export interface NewDirectory {
  readonly directory: string
  /** Set: nothing is made where this is away (STAGING_AWAY). */
  readonly stagingDirectory?: string
  /** mode of mkdir; the umask applies. */
  readonly mode: number | undefined
  readonly tool: ToolInfo
  /** An emptied job directory to start from (see recycleJobDirectory). */
  readonly spare?: string | undefined
}

/**
 * Makes the directory tree of a job and marks it as ours. What is there already stays, so a repeated setup is fine. A Python
 * server's directory (it has tool_id before anything else) is not marked here.
 */
export function makeJobDirectory({ directory, stagingDirectory, mode, tool, spare }: NewDirectory): void {
  if (stagingDirectory !== undefined) demandStaging(stagingDirectory)
  const made = (spare !== undefined && moveSpare(spare, directory)) || makeDirectory(directory, mode)
  if (spare === undefined || !made) {
    for (const name of FILE_DIRECTORIES) makeDirectory(path.join(directory, name), mode)
  }
  for (const name of WORK_DIRECTORIES) makeDirectory(path.join(directory, name), mode)
  const marker = path.join(directory, MARKER)
  const ours = made || fs.existsSync(marker) || !fs.existsSync(path.join(directory, 'tool_id'))
  if (ours) writeMarker(directory, tool)
}

function writeMarker(directory: string, tool: ToolInfo): void {
  const text = JSON.stringify(tool)
  try {
    fs.writeFileSync(path.join(directory, MARKER), text, { flag: 'wx' })
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    // Of an earlier setup; or a link that a job put there, which is not written through.
    replaceOwnFile(directory, MARKER, text)
  }
}

/** What our mark says; undefined where there is none. A job can have written into it: then it says nothing. */
export function readMarker(directory: string): ToolInfo | undefined {
  const text = readOwnFile(path.join(directory, MARKER))
  if (!text) return undefined
  try {
    const found: unknown = JSON.parse(text)
    const { toolId, toolVersion } = { ...(found as Record<string, unknown> | null) }
    return { toolId: textOf(toolId), toolVersion: textOf(toolVersion) }
  } catch {
    return { toolId: '', toolVersion: '' }
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** The tool of a job as its setup left it in the directory; undefined when that was not ours, or said none. */
export function readTool(directory: string): ToolInfo | undefined {
  const tool = readMarker(directory)
  return tool?.toolId ? tool : undefined
}

/** Makes the directory of a job that is uploaded to before it is set up; one that exists is left as it is. */
export function makeJobDirectoryIfMissing(wanted: Omit<NewDirectory, 'tool'>): void {
  if (!fs.existsSync(wanted.directory)) makeJobDirectory({ ...wanted, tool: { toolId: '', toolVersion: '' } })
}

function moveSpare(spare: string, directory: string): boolean {
  if (fs.existsSync(directory)) return false
  try {
    fs.renameSync(spare, directory)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return false
    throw error
  }
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
 * Moves a job directory out of sight, to be removed from there, if it carries our marker, or is of a Python server, which had removed it
 * as well.
 * @returns false when it is not there or no job's
 */
export function discardJobDirectory(directory: string, target: string): boolean {
  openUp(directory)
  if (!fs.existsSync(path.join(directory, MARKER)) && !isPythonJobDirectory(directory)) return false
  fs.renameSync(directory, target)
  return true
}

/**
 * Makes a discarded job directory ready for another job: everything goes but the directories for files, which are emptied. Making
 * and removing directories is the dearest part of a short job, and on network file systems of its waiting. Directories in which a
 * tool works are not used again: something it left running may still be in them.
 * @returns false when it is not as it was made (rights, owner) or not emptied in time: then it is to be removed
 */
export function recycleJobDirectory(
  discarded: string,
  spare: string,
  mode: number | undefined,
  budgetMs: number,
): boolean {
  const expected = (mode ?? 0o777) & ~process.umask()
  const kept: readonly string[] = FILE_DIRECTORIES
  if (!isAsMade(discarded, expected) || !kept.every((name) => isAsMade(path.join(discarded, name), expected)))
    return false
  const deadline = performance.now() + budgetMs
  for (const name of fs.readdirSync(discarded)) {
    const remove = kept.includes(name) ? emptyTree : removeTree
    if (!remove(path.join(discarded, name), Math.max(1, deadline - performance.now()))) return false
  }
  fs.renameSync(discarded, spare)
  return true
}

function isAsMade(directory: string, mode: number): boolean {
  const found = fs.lstatSync(directory, { throwIfNoEntry: false })
  if (!found?.isDirectory()) return false
  return (found.mode & 0o7777) === mode && found.uid === process.getuid?.()
}
