import fs from 'node:fs'
import {
  commitNewFile,
  discardNewFile,
  type NewFile,
  openForRead,
  openNewFile,
  readSmallFile,
} from '../../lib/confined-file.js'
import { closePartFile, openDirectoryToSync, openPartFile, removePartFile } from '../../lib/part-file.js'
import { PIECE_BYTES } from '../../lib/write-all.js'

/** A file that is small enough to be held. */
export interface SmallFile {
  readonly base: string
  readonly components: readonly string[]
  readonly content: Uint8Array
}

/** Writes files under temporary names; to be synced and then named or discarded, all of them. On failure nothing is left. Errors as openNewFile. */
function writeNewFiles(files: readonly SmallFile[]): NewFile[] {
  const written: NewFile[] = []
  try {
    for (const { base, components, content } of files) written.push(writeNewFile(base, components, content))
    return written
  } catch (error) {
    discardNewFiles(written)
    throw error
  }
}

function discardNewFiles(files: readonly NewFile[]): void {
  for (const file of files) discardNewFile(file)
}

/**
 * Gives synced files their names. Returns their directories, to be synced and closed. On failure each of them is there whole or not at all.
 * Errors as commitNewFile.
 */
function nameFiles(files: readonly NewFile[]): number[] {
  const left = [...files]
  const directories = new Map<string, number>()
  try {
    for (let file = left.shift(); file; file = left.shift()) keepDirectory(directories, nameFile(file))
    return [...directories.values()]
  } catch (error) {
    discardNewFiles(left)
    for (const fd of directories.values()) fs.closeSync(fd)
    throw error
  }
}

/** Writes `content` under a temporary name; to be synced and then committed or discarded. */
function writeNewFile(base: string, components: readonly string[], content: Uint8Array): NewFile {
  const file = openNewFile(base, components)
  try {
    for (let at = 0; at < content.length; )
      at += fs.writeSync(file.fd, content, at, Math.min(PIECE_BYTES, content.length - at))
    return file
  } catch (error) {
    discardNewFile(file)
    throw error
  }
}

/** Adds a directory that is to be synced, once. */
function keepDirectory(directories: Map<string, number>, fd: number): void {
  const { dev, ino } = fs.fstatSync(fd)
  const key = `${dev}:${ino}`
  if (directories.has(key)) fs.closeSync(fd)
  else directories.set(key, fd)
}

/** Gives a synced file its name. Returns its directory, to be synced and closed. Errors as commitNewFile. */
function nameFile(file: NewFile): number {
  let directory: number
  try {
    directory = openDirectoryToSync(file)
  } catch (error) {
    discardNewFile(file)
    throw error
  }
  try {
    commitNewFile(file)
    return directory
  } catch (error) {
    fs.closeSync(directory)
    throw error
  }
}

/** What transfers do to the disk in one go each; long reads and writes go to Node's own threads instead. */
export const diskTasks = {
  closePartFile,
  discardNewFile,
  discardNewFiles,
  nameFile,
  nameFiles,
  openForRead,
  openPartFile,
  readSmallFile,
  removePartFile,
  writeNewFile,
  writeNewFiles,
}
