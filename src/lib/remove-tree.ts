import fs from 'node:fs'
import { openDirectory, pathThrough } from './confined-file-walk.js'
import { errnoOf } from './errors.js'

/** Directories held open at once on the way down; deeper ones are first moved up. A tree can be thousands of levels deep. */
const MAX_DEPTH = 32
/** Entries read before they are removed: bounds the memory for a directory of millions. */
const BATCH = 1024
/** Directories up to this size (bytes of the directory itself) are read in one call, which costs a third of the CPU. */
const SMALL_DIRECTORY_BYTES = 256 * 1024
/** Entries that cannot be removed and are remembered, so that the rest of their directory is still reached. */
const MAX_FAILED = 4096

interface Removal {
  /** Descriptor of the tree's own directory, where directories from too far down are moved. */
  readonly top: number
  moved: number
  firstError: unknown
  /** When to stop and go on another time. */
  readonly deadlineMs: number
  removed: number
}

interface Entry {
  /** Bytes of the name as latin1 characters: names need not be valid UTF-8. */
  readonly name: string
  readonly isDirectory: boolean
}

// What an earlier call moved up and had no time to remove is still there: its names must not be used again.
const unique = Math.random().toString(36).slice(2)
let serial = 0

/** Thrown through the recursion when the time is up. */
const OUT_OF_TIME = Symbol('out of time')

/**
 * Removes a directory and everything below it, or as much as `budgetMs` allow: false when something is left and a further call
 * is needed, so that a tree of millions does not keep a thread from other work. Links are removed, never followed, also when they
 * are put in place while it runs; directories without permissions are opened up first. A path that does not exist is no error; a
 * file or link is unlinked. Goes on past what cannot be removed and then throws the first system error. Memory and descriptors are
 * bounded.
 */
export function removeTree(path: string, budgetMs = Number.POSITIVE_INFINITY): boolean {
  if (!emptyTree(path, budgetMs)) return false
  try {
    fs.rmdirSync(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  return true
}

/** Like removeTree, but a directory itself stays. */
export function emptyTree(path: string, budgetMs = Number.POSITIVE_INFINITY): boolean {
  let fd: number
  try {
    fd = openDirectory(path)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return true
    if (errno !== 'ENOTDIR' && errno !== 'ELOOP') throw error
    fs.unlinkSync(path)
    return true
  }
  const removal: Removal = {
    top: fd,
    moved: 0,
    firstError: undefined,
    deadlineMs: performance.now() + budgetMs,
    removed: 0,
  }
  try {
    emptyDirectory(fd, 0, removal)
  } catch (error) {
    if (error !== OUT_OF_TIME) throw error
    return false
  } finally {
    fs.closeSync(fd)
  }
  if (removal.firstError !== undefined) throw removal.firstError
  return true
}

function emptyDirectory(fd: number, depth: number, removal: Removal): void {
  const failed = new Set<string>()
  let opened = false
  for (;;) {
    const entries: Entry[] = []
    let complete: boolean
    try {
      complete = readEntries(fd, failed, entries)
    } catch (error) {
      if (opened || !isDenied(error)) {
        note(removal, error)
        return
      }
      opened = true
      openUp(fd)
      continue
    }
    for (const entry of entries) {
      // Each call gets at least one entry further, so that calls come to an end.
      if (removal.removed > 0 && performance.now() > removal.deadlineMs) throw OUT_OF_TIME
      const error = removeEntry(fd, entry, depth, removal)
      if (error === undefined) {
        removal.removed++
        continue
      }
      note(removal, error)
      failed.add(entry.name)
    }
    // Directories that were moved to the top meanwhile are only seen by reading it again.
    const again = !complete || (depth === 0 && entries.length > 0 && removal.moved > 0)
    if (!again || failed.size > MAX_FAILED) return
  }
}

/** Reads up to a batch of entries that have not failed before; true when that was all. */
function readEntries(fd: number, failed: Set<string>, entries: Entry[]): boolean {
  if (failed.size === 0 && fs.fstatSync(fd).size <= SMALL_DIRECTORY_BYTES) {
    for (const entry of fs.readdirSync(pathThrough(fd), { encoding: 'latin1', withFileTypes: true }))
      entries.push({ name: entry.name, isDirectory: entry.isDirectory() })
    return true
  }
  const directory = fs.opendirSync(pathThrough(fd), { encoding: 'latin1', bufferSize: 64 })
  try {
    for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
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
function removeEntry(fd: number, entry: Entry, depth: number, removal: Removal): unknown {
  const path = bytesOf(fd, entry.name)
  let directory = entry.isDirectory
  if (!directory) {
    const error = permitted(fd, () => fs.unlinkSync(path))
    const errno = errnoOf(error)
    if (error === undefined || errno === 'ENOENT') return undefined
    // File systems that do not tell the kind of an entry: Linux answers EISDIR for the unlink of a directory.
    if (errno !== 'EISDIR') return error
    directory = true
  }
  return removeDirectory(fd, path, depth, removal)
}

function removeDirectory(fd: number, path: Buffer, depth: number, removal: Removal): unknown {
  let child = -1
  const open = (): void => {
    child = openDirectory(path)
  }
  const failure = permitted(fd, open)
  if (failure !== undefined) {
    const errno = errnoOf(failure)
    if (errno === 'ENOENT') return undefined
    // It has become a file or a link since it was read.
    if (errno === 'ENOTDIR' || errno === 'ELOOP') return permitted(fd, () => fs.unlinkSync(path))
    return failure
  }
  try {
    if (depth + 1 >= MAX_DEPTH) {
      openUp(child)
      removal.moved++
      const name = Buffer.from(
        pathThrough(removal.top, `.magnetar-removed-${unique}-${(serial++).toString(36)}`),
      )
      return permitted(fd, () => fs.renameSync(path, name))
    }
    emptyDirectory(child, depth + 1, removal)
  } finally {
    fs.closeSync(child)
  }
  const error = permitted(fd, () => fs.rmdirSync(path))
  return errnoOf(error) === 'ENOENT' ? undefined : error
}

/** Runs an operation on an entry of `fd`; when permission is missing, gives the owner all rights on `fd` and tries again. */
function permitted(fd: number, operation: () => void): unknown {
  try {
    operation()
    return undefined
  } catch (error) {
    if (!isDenied(error)) return error
  }
  try {
    openUp(fd)
    operation()
    return undefined
  } catch (error) {
    return error
  }
}

function openUp(fd: number): void {
  try {
    fs.chmodSync(pathThrough(fd), 0o700)
  } catch {
    // Not allowed for a directory of somebody else: then the operation itself tells why it fails.
  }
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
