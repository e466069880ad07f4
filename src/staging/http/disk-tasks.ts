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

/** A file that is small enough to be held. */
export interface SmallFile {
  readonly base: string
  readonly components: readonly string[]
  readonly content: Uint8Array
}

/**
 * Stores files whole and durably, with one sync of each directory for all. On failure each of them is there whole or not at all.
 * Errors as openNewFile and commitNewFile.
 */
function storeFiles(files: readonly SmallFile[]): void {
  const written: NewFile[] = []
  const directories = new Map<string, number>()
  try {
    for (const { base, components, content } of files) written.push(writeNewFile(base, components, content))
    for (const { fd } of written) fs.fsyncSync(fd)
    for (let file = written.shift(); file; file = written.shift()) keepDirectory(directories, nameFile(file))
    for (const fd of directories.values()) fs.fsyncSync(fd)
  } finally {
    for (const file of written) discardNewFile(file)
    for (const fd of directories.values()) fs.closeSync(fd)
  }
}

/** Writes `content` under a temporary name; to be synced and then committed or discarded. */
function writeNewFile(base: string, components: readonly string[], content: Uint8Array): NewFile {
  const file = openNewFile(base, components)
  try {
    for (let at = 0; at < content.length; ) at += fs.writeSync(file.fd, content, at)
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
  nameFile,
  openForRead,
  openPartFile,
  readSmallFile,
  removePartFile,
  storeFiles,
  writeNewFile,
}
