import fs from 'node:fs'
import { promisify } from 'node:util'
import { openDirectory, pathThrough } from './confined-file-walk.js'
import { errnoOf } from './errors.js'

/** Directories held open at once on the way down; deeper ones are first moved up. A tree can be thousands of levels deep. */
const MAX_DEPTH = 32
/** Entries read before they are removed: bounds the memory for a directory of millions. */
const BATCH = 1024
/** Directories up to this size (bytes of the directory itself) are read in one call, which costs a third of the CPU. */
const SMALL_DIRECTORY_BYTES = 256 * 1024
/** Operations in flight at once: the threads that make them are then woken once for many. */
const WIDTH = 8
/** Entries that cannot be removed and are remembered, so that the rest of their directory is still reached. */
const MAX_FAILED = 4096

const unlinkAsync = promisify(fs.unlink) as (path: Buffer) => Promise<void>
const rmdirAsync = promisify(fs.rmdir) as (path: Buffer | string) => Promise<void>
const renameAsync = promisify(fs.rename) as (from: Buffer, to: Buffer) => Promise<void>
const chmodAsync = promisify(fs.chmod) as (path: string, mode: number) => Promise<void>
const readdirAsync = promisify(fs.readdir) as (
  path: string,
  options: { encoding: BufferEncoding; withFileTypes: true },
) => Promise<fs.Dirent[]>
const opendirAsync = promisify(fs.opendir) as (path: string, options: fs.OpenDirOptions) => Promise<fs.Dir>

interface Removal {
  /** Descriptor of the tree's own directory, where directories from too far down are moved. */
  readonly top: number
  moved: number
  firstError: unknown
}

interface Entry {
  /** Bytes of the name as latin1 characters: names need not be valid UTF-8. */
  readonly name: string
  readonly isDirectory: boolean
}

/**
 * Removes a directory and everything below it. Links are removed, never followed, also when they are put in place while it runs;
 * directories without permissions are opened up first. A path that does not exist is no error; a file or link is unlinked.
 * Goes on past what cannot be removed and then rejects with the first system error. Memory and descriptors are bounded.
 */
export async function removeTree(path: string): Promise<void> {
  let fd: number
  try {
    fd = await openDirectory(path)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return
    if (errno !== 'ENOTDIR' && errno !== 'ELOOP') throw error
    return unlinkAsync(Buffer.from(path))
  }
  const removal: Removal = { top: fd, moved: 0, firstError: undefined }
  try {
    await emptyDirectory(fd, 0, removal)
  } finally {
    fs.closeSync(fd)
  }
  if (removal.firstError !== undefined) throw removal.firstError
  await rmdirAsync(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
}

async function emptyDirectory(fd: number, depth: number, removal: Removal): Promise<void> {
  const failed = new Set<string>()
  let opened = false
  for (;;) {
    const entries: Entry[] = []
    let complete: boolean
    try {
      complete = await readEntries(fd, failed, entries)
    } catch (error) {
      if (opened || !isDenied(error)) return note(removal, error)
      opened = true
      await openUp(fd)
      continue
    }
    let at = 0
    const work = async (): Promise<void> => {
      for (let entry = entries[at++]; entry !== undefined; entry = entries[at++]) {
        const error = await removeEntry(fd, entry, depth, removal)
        if (error === undefined) continue
        note(removal, error)
        failed.add(entry.name)
      }
    }
    // Below the first level one after the other, or descriptors would multiply with the depth.
    const width = depth === 0 || entries.every((entry) => !entry.isDirectory) ? WIDTH : 1
    if (width === 1 || entries.length === 1) await work()
    else await Promise.all(Array.from({ length: Math.min(width, entries.length) }, work))
    // Directories that were moved to the top meanwhile are only seen by reading it again.
    const again = !complete || (depth === 0 && entries.length > 0 && removal.moved > 0)
    if (!again || failed.size > MAX_FAILED) return
  }
}

/** Reads up to a batch of entries that have not failed before; true when that was all. */
async function readEntries(fd: number, failed: Set<string>, entries: Entry[]): Promise<boolean> {
  // Synchronous: the directory was opened a moment ago, so the kernel has its attributes.
  if (failed.size === 0 && fs.fstatSync(fd).size <= SMALL_DIRECTORY_BYTES) {
    for (const entry of await readdirAsync(pathThrough(fd), { encoding: 'latin1', withFileTypes: true }))
      entries.push({ name: entry.name, isDirectory: entry.isDirectory() })
    return true
  }
  const directory = await opendirAsync(pathThrough(fd), { encoding: 'latin1', bufferSize: 64 })
  try {
    for (let entry = await directory.read(); entry; entry = await directory.read()) {
      if (failed.has(entry.name)) continue
      entries.push({ name: entry.name, isDirectory: entry.isDirectory() })
      if (entries.length === BATCH) return false
    }
    return true
  } finally {
    directory.closeSync()
  }
}

/** Removes one entry; returns the system error that prevented it, undefined when it is gone. */
async function removeEntry(fd: number, entry: Entry, depth: number, removal: Removal): Promise<unknown> {
  const path = bytesOf(fd, entry.name)
  let directory = entry.isDirectory
  if (!directory) {
    const error = await permitted(fd, () => unlinkAsync(path))
    const errno = errnoOf(error)
    if (error === undefined || errno === 'ENOENT') return undefined
    // File systems that do not tell the kind of an entry: Linux answers EISDIR for the unlink of a directory.
    if (errno !== 'EISDIR') return error
    directory = true
  }
  return removeDirectory(fd, path, depth, removal)
}

async function removeDirectory(fd: number, path: Buffer, depth: number, removal: Removal): Promise<unknown> {
  let child = -1
  const open = async (): Promise<void> => {
    child = await openDirectory(path)
  }
  const failure = await permitted(fd, open)
  if (failure !== undefined) {
    const errno = errnoOf(failure)
    if (errno === 'ENOENT') return undefined
    // It has become a file or a link since it was read.
    if (errno === 'ENOTDIR' || errno === 'ELOOP') return permitted(fd, () => unlinkAsync(path))
    return failure
  }
  try {
    if (depth + 1 >= MAX_DEPTH) {
      await openUp(child)
      const name = Buffer.from(`${pathThrough(removal.top)}/.magnetar-removed-${removal.moved++}`)
      return await permitted(fd, () => renameAsync(path, name))
    }
    await emptyDirectory(child, depth + 1, removal)
  } finally {
    fs.closeSync(child)
  }
  const error = await permitted(fd, () => rmdirAsync(path))
  return errnoOf(error) === 'ENOENT' ? undefined : error
}

/** Runs an operation on an entry of `fd`; when permission is missing, gives the owner all rights on `fd` and tries again. */
async function permitted(fd: number, operation: () => Promise<void>): Promise<unknown> {
  try {
    await operation()
    return undefined
  } catch (error) {
    if (!isDenied(error)) return error
  }
  try {
    await openUp(fd)
    await operation()
    return undefined
  } catch (error) {
    return error
  }
}

async function openUp(fd: number): Promise<void> {
  // Not allowed for a directory of somebody else: then the operation itself tells why it fails.
  await chmodAsync(pathThrough(fd), 0o700).catch(() => {})
}

function isDenied(error: unknown): boolean {
  return errnoOf(error) === 'EACCES'
}

function note(removal: Removal, error: unknown): void {
  removal.firstError ??= error
}

function bytesOf(fd: number, name: string): Buffer {
  return Buffer.from(pathThrough(fd, name), 'latin1')
}
