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
  writeNewFile,
}
