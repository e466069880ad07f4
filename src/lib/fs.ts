import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { errnoOf } from './errors.js'

// The callback API costs two thirds of the CPU of node:fs/promises for small files, and a job makes some forty of
// these calls.
const mkdirCallback = promisify(fs.mkdir) as (
  path: string,
  options?: fs.MakeDirectoryOptions,
) => Promise<string | undefined>
const writeFileCallback = promisify(fs.writeFile) as (
  path: string,
  data: string,
  options?: fs.WriteFileOptions,
) => Promise<void>
const readFileCallback = promisify(fs.readFile) as (path: string) => Promise<Buffer>
const unlinkCallback = promisify(fs.unlink)
const openCallback = promisify(fs.open) as (path: string, flags: number) => Promise<number>
const closeCallback = promisify(fs.close)
const fsyncCallback = promisify(fs.fsync)
const readdirCallback = promisify(fs.readdir) as (
  path: string,
  options: { withFileTypes: true },
) => Promise<fs.Dirent[]>

/** Writes a small file whose loss in a power cut does not matter. */
export function writeSmallFile(file: string, text: string, mode = 0o666): Promise<void> {
  return writeFileCallback(file, text, { mode })
}

/** Writes a small file so that readers see the old or the new content, never a part. Not synced. */
export async function replaceFile(file: string, text: string, mode = 0o666): Promise<void> {
  const temporary = `${file}.tmp-${process.pid}`
  await writeFileCallback(temporary, text, { mode })
  await promisify(fs.rename)(temporary, file)
}

/** The bytes of a file; undefined when it does not exist. */
export async function readFileIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFileCallback(file)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
    throw error
  }
}

/** Whether there is anything at this path (a symbolic link counts as itself). */
export function exists(file: string): Promise<boolean> {
  return new Promise((resolve) => fs.lstat(file, (error) => resolve(!error)))
}

/** Makes one directory; true when it was made, false when something is there already. */
export async function makeDirectory(directory: string, mode = 0o777): Promise<boolean> {
  try {
    await mkdirCallback(directory, { mode })
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Makes a directory and its missing parents. */
export async function makeDirectories(directory: string, mode = 0o777): Promise<void> {
  await mkdirCallback(directory, { recursive: true, mode })
}

/** Removes a file; nothing happens when it is not there. */
export async function removeFile(file: string): Promise<void> {
  try {
    await unlinkCallback(file)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw error
  }
}

/** The entries of a directory; none when it does not exist. */
export async function listDirectory(directory: string): Promise<fs.Dirent[]> {
  try {
    return await readdirCallback(directory, { withFileTypes: true })
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return []
    throw error
  }
}

const SYNC_WIDTH = 8

/**
 * Puts every regular file and every directory that is not empty below `directory` on disk, itself included. Symbolic links are not followed, pipes and devices
 * not opened. What cannot be opened for reading was not uploaded by us and is passed over.
 */
export async function syncTree(directory: string): Promise<void> {
  const waiting = [directory]
  const files: string[] = []
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const entries = await listDirectory(next)
    if (entries.length > 0) files.push(next)
    for (const entry of entries) {
      if (entry.isDirectory()) waiting.push(path.join(next, entry.name))
      else if (entry.isFile()) files.push(path.join(next, entry.name))
    }
  }
  let at = 0
  const work = async (): Promise<void> => {
    for (let file = files[at++]; file !== undefined; file = files[at++]) await syncPath(file)
  }
  await Promise.all(Array.from({ length: Math.min(SYNC_WIDTH, files.length) }, work))
}

/** Puts one file or directory on disk; what is gone or cannot be opened is passed over. */
export async function syncPath(file: string): Promise<void> {
  let fd: number
  try {
    fd = await openCallback(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ELOOP', 'ENXIO'].includes(errnoOf(error) ?? '')) return
    throw error
  }
  try {
    await fsyncCallback(fd)
  } finally {
    await closeCallback(fd)
  }
}
