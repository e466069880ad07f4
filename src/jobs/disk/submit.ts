import fs from 'node:fs'
import path from 'node:path'
import { touchFile } from '../../lib/confined-file.js'
import { errnoOf } from '../../lib/errors.js'
import { writePrivateFile } from '../../lib/private-file.js'
import type { JobFilePath } from '../types.js'
import { makeJobDirectory, readTool, type ToolInfo } from './setup.js'
import { demandStaging } from './staging-mark.js'
import { probeStray } from './stray-probe.js'

export interface SubmitFiles {
  readonly directory: string
  readonly stagingDirectory: string
  /** Set: the submit sets the job up itself. */
  readonly setup: { readonly tool: ToolInfo; readonly mode: number | undefined } | undefined
  readonly touch: readonly JobFilePath[]
  /** Content of launch_config. */
  readonly launchConfig: string
  /** Directories (relative) that uploads go to. */
  readonly uploads: readonly string[]
}

export type SubmitOutcome =
  | { readonly outcome: 'duplicate' }
  | { readonly outcome: 'not set up' }
  /** Nothing is written: it was handed over already, by a Python server (see stray-probe.ts). */
  | { readonly outcome: 'handed over' }
  /** The files are written; these descriptors must be synced, then closed. */
  | { readonly outcome: 'written'; readonly toSync: readonly number[]; readonly tool: ToolInfo | undefined }

/** More are synced here, one after the other, instead of holding descriptors. */
const MAX_OPEN = 64
const OPEN_FLAGS = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK

/**
 * Writes what a submit leaves in the job directory and opens all that must be on disk before it is acknowledged: what was
 * uploaded, launch_config, and the directories that hold them. An empty directory is nothing but its entry in the job directory.
 * `duplicate`: there is a final_status already (a Python server's; reference/job-lifecycle §9).
 */
export function writeSubmit(files: SubmitFiles): SubmitOutcome {
  const { directory } = files
  if (fs.existsSync(path.join(directory, 'final_status'))) return { outcome: 'duplicate' }
  if (probeStray(directory) !== undefined) return { outcome: 'handed over' }
  const { stagingDirectory } = files
  if (files.setup) makeJobDirectory({ directory, stagingDirectory, ...files.setup })
  else if (!fs.existsSync(directory)) {
    demandStaging(stagingDirectory)
    return { outcome: 'not set up' }
  }
  for (const { base, components } of files.touch) touchFile(base, components)
  // With it anybody could read and write the job's files at Galaxy.
  writePrivateFile(path.join(directory, 'launch_config'), files.launchConfig)
  const toSync: number[] = []
  try {
    for (const name of files.uploads) openTree(path.join(directory, name), toSync)
    for (const name of [path.join(directory, 'launch_config'), directory, files.stagingDirectory])
      openToSync(name, toSync)
  } catch (error) {
    for (const fd of toSync) fs.closeSync(fd)
    throw error
  }
  return { outcome: 'written', toSync, tool: files.setup?.tool ?? readTool(directory) }
}

const RESULT_DIRECTORIES = ['outputs', 'metadata', 'working']

/** What a job left, files before the directories that hold them; `most` names at the most. */
export function listResults(directory: string, most: number): string[] {
  const top = listTree(directory, most, false)
  const names = RESULT_DIRECTORIES.flatMap((name) => listTree(path.join(directory, name), most))
  return [...top, ...names].slice(0, most)
}

/** Opens them to be synced, then closed; what is gone is passed over. */
export function openResults(names: readonly string[]): number[] {
  const toSync: number[] = []
  try {
    for (const name of names) openToSync(name, toSync)
  } catch (error) {
    for (const fd of toSync) fs.closeSync(fd)
    throw error
  }
  return toSync
}

/** Regular files, then the directory that holds them; nothing when it is not there. */
function listTree(directory: string, most: number, deep = true): string[] {
  let entries: fs.Dirent[]
  try {
    entries = fs.readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return []
    throw error
  }
  const found: string[] = []
  for (const entry of entries) {
    if (found.length > most) break
    const name = path.join(directory, entry.name)
    if (entry.isFile()) found.push(name)
    else if (deep && entry.isDirectory()) found.push(...listTree(name, most))
  }
  return [...found, directory]
}

/** Regular files and directories that are not empty. Links are not followed, pipes and devices not opened. */
function openTree(directory: string, toSync: number[]): void {
  let entries: fs.Dirent[]
  try {
    entries = fs.readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return
    throw error
  }
  if (entries.length === 0) return
  for (const entry of entries) {
    if (entry.isDirectory()) openTree(path.join(directory, entry.name), toSync)
    else if (entry.isFile()) openToSync(path.join(directory, entry.name), toSync)
  }
  openToSync(directory, toSync)
}

/** What is gone or may not be read was not uploaded by us, and is passed over. */
function openToSync(file: string, toSync: number[]): void {
  let fd: number
  try {
    fd = fs.openSync(file, OPEN_FLAGS)
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ELOOP', 'ENXIO'].includes(errnoOf(error) ?? '')) return
    throw error
  }
  if (toSync.length < MAX_OPEN) {
    toSync.push(fd)
    return
  }
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}
