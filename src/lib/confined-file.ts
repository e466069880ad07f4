import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import {
  fileError,
  isWithin,
  O_PATH,
  openParent,
  outsideError,
  pathThrough,
  quote,
  realPathOf,
} from './confined-file-walk.js'
import { errnoOf, MagnetarError } from './errors.js'

/**
 * Reading and writing below a base directory which a hostile tool may be rearranging at the same moment: every check is made
 * on an open descriptor, never on a path that is used again later. Linux only (/proc/self/fd). Synchronous: made to run in a
 * disk thread; descriptors belong to the whole process, so they can be passed on.
 */

/** Files with this beginning are uploads that are not complete, or were cut off by a crash. Never part of a result. */
export const UPLOAD_PREFIX = '.magnetar-upload-'

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } =
  fs.constants

export interface OpenFile {
  readonly fd: number
  /** Bytes, when it was opened. */
  readonly size: number
}

/**
 * Opens a regular file for reading; links are followed as long as they stay inside `base`. The caller closes `fd`.
 * @throws MagnetarError FILE_NOT_FOUND, NOT_A_FILE, FILE_OUTSIDE_JOB
 */
export function openForRead(base: string, components: readonly string[]): OpenFile {
  const name = components.join('/')
  let fd: number
  try {
    refuseSpecial(base, name)
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    fd = fs.openSync(`${base}/${name}`, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  } catch (error) {
    // A loop of links has no file at its end.
    if (errnoOf(error) !== 'ELOOP') throw fileError(error, name)
    throw new MagnetarError('FILE_NOT_FOUND', `there is no file ${quote(name)}`, { cause: error })
  }
  try {
    // Where it is comes before what it is: nothing is told about files outside.
    if (!isConfined(base, realPathOf(fd))) throw outsideError(name)
    const stats = fs.fstatSync(fd)
    if (!stats.isFile()) throw new MagnetarError('NOT_A_FILE', `${quote(name)} is not a regular file`)
    return { fd, size: stats.size }
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}

/**
 * Opening a device or a pipe does something to it, also where that is none of the job's: what a link leads to is looked at by a
 * descriptor that opens nothing first. Only a swap in the moment after can have it opened, and then nothing is read from it.
 */
function refuseSpecial(base: string, name: string): void {
  const fd = fs.openSync(`${base}/${name}`, O_PATH)
  try {
    if (fs.fstatSync(fd).isFile()) return
    if (!isConfined(base, realPathOf(fd))) throw outsideError(name)
    throw new MagnetarError('NOT_A_FILE', `${quote(name)} is not a regular file`)
  } finally {
    fs.closeSync(fd)
  }
}

/** The base itself may not be a link, else a tool could move its whole outputs directory elsewhere; what is above may. */
function isConfined(base: string, real: string): boolean {
  if (isWithin(base, real)) return true
  try {
    return isWithin(path.join(fs.realpathSync.native(path.dirname(base)), path.basename(base)), real)
  } catch {
    return false
  }
}

/** A small file with its content, a larger one open: then the caller closes `fd`. */
export type ReadFile = { readonly size: number; readonly content: Uint8Array } | OpenFile

/** Like openForRead, but a file of at most `maxBytes` is read and closed. `room`: where to, if it fits there. */
export function readSmallFile(
  base: string,
  components: readonly string[],
  maxBytes: number,
  room?: Uint8Array,
): ReadFile {
  const file = openForRead(base, components)
  if (file.size > maxBytes) return file
  try {
    const content = room && file.size <= room.length ? room.subarray(0, file.size) : new Uint8Array(file.size)
    let have = 0
    while (have < file.size) {
      const bytes = fs.readSync(file.fd, content, have, file.size - have, have)
      if (bytes === 0) break
      have += bytes
    }
    return { size: have, content: content.subarray(0, have) }
  } finally {
    fs.closeSync(file.fd)
  }
}

/** A file being written under a temporary name. Exactly one of commitNewFile and discardNewFile is called, once, with no write in flight. */
export interface NewFile {
  readonly fd: number
  /** Descriptor of its directory. */
  readonly directory: number
  readonly temporary: string
  /** The name it is to get. */
  readonly last: string
}

let serial = 0
const processId = randomBytes(6).toString('hex')

/**
 * Creates a file that becomes visible as base/components only by commitNewFile. Missing parents are made.
 * @throws MagnetarError FILE_OUTSIDE_JOB, NOT_A_FILE, FILE_NOT_FOUND
 */
export function openNewFile(base: string, components: readonly string[], mode = 0o666): NewFile {
  const last = components[components.length - 1]
  if (last === undefined) throw new MagnetarError('FILE_NAME_INVALID', 'the name of the file is empty')
  const directory = openParent(base, components)
  const temporary = pathThrough(directory, `${UPLOAD_PREFIX}${processId}-${(serial++).toString(36)}`)
  try {
    const fd = fs.openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
    return { fd, directory, temporary, last }
  } catch (error) {
    fs.closeSync(directory)
    throw fileError(error, components.join('/'))
  }
}

/**
 * Closes the file and gives it its name, in place of a file or link that has it. With `sync` file and name are on disk
 * afterwards. On failure nothing is left behind.
 * @throws MagnetarError NOT_A_FILE when a directory has the name
 */
export function commitNewFile({ fd, directory, temporary, last }: NewFile, sync = false): void {
  let open = true
  try {
    if (sync) fs.fsyncSync(fd)
    open = false
    // Network file systems report a full disk or a quota only here.
    fs.closeSync(fd)
    fs.renameSync(temporary, pathThrough(directory, last))
    if (sync) syncDirectory(directory)
  } catch (error) {
    if (open) closeQuietly(fd)
    unlinkQuietly(temporary)
    throw fileError(error, last)
  } finally {
    fs.closeSync(directory)
  }
}

/** Closes and removes it; never throws. */
export function discardNewFile({ fd, directory, temporary }: NewFile): void {
  unlinkQuietly(temporary)
  closeQuietly(directory)
  closeQuietly(fd)
}

/** Stores `content` whole as base/components. Errors as openNewFile and commitNewFile. */
export function storeFile(
  base: string,
  components: readonly string[],
  content: Uint8Array,
  options: { readonly mode?: number; readonly sync?: boolean } = {},
): void {
  const file = openNewFile(base, components, options.mode)
  try {
    for (let at = 0; at < content.length; ) at += fs.writeSync(file.fd, content, at)
  } catch (error) {
    discardNewFile(file)
    throw error
  }
  commitNewFile(file, options.sync)
}

/**
 * Copies all of the open file `source` to base/components, sharing its blocks where the file system can. Errors as
 * openNewFile and commitNewFile. `source` stays open.
 */
export function copyFile(base: string, components: readonly string[], source: number): void {
  const file = openNewFile(base, components)
  try {
    const { mode } = fs.fstatSync(file.fd)
    fs.copyFileSync(pathThrough(source), pathThrough(file.fd), fs.constants.COPYFILE_FICLONE)
    // copyFile also copies the mode, and a cached file is 0600: a tool under another account could not read it.
    fs.fchmodSync(file.fd, mode & 0o7777)
  } catch (error) {
    discardNewFile(file)
    throw error
  }
  commitNewFile(file)
}

/** Makes base (one level) and the parents of base/components, as openNewFile would. Same errors. */
export function makeParents(base: string, components: readonly string[]): void {
  fs.closeSync(openParent(base, components))
}

/**
 * Creates an empty file, or leaves the one that is there as it is (touch_outputs: the real server opens in append mode).
 * @throws MagnetarError FILE_OUTSIDE_JOB also for a link, NOT_A_FILE, FILE_NOT_FOUND
 */
export function touchFile(base: string, components: readonly string[]): void {
  const name = components.join('/')
  const directory = openParent(base, components)
  try {
    const target = pathThrough(directory, components[components.length - 1])
    const fd = fs.openSync(target, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o666)
    try {
      if (!fs.fstatSync(fd).isFile())
        throw new MagnetarError('NOT_A_FILE', `${quote(name)} is not a regular file`)
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    throw fileError(error, name)
  } finally {
    fs.closeSync(directory)
  }
}

function syncDirectory(directory: number): void {
  // The descriptor we have only names the directory; fsync wants one that is open for reading.
  const fd = fs.openSync(pathThrough(directory), O_RDONLY | O_DIRECTORY)
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function unlinkQuietly(file: string): void {
  try {
    fs.unlinkSync(file)
  } catch {
    // It goes with its directory; the next look at the disk reports what is wrong with it.
  }
}

function closeQuietly(fd: number): void {
  try {
    fs.closeSync(fd)
  } catch {
    // A write error that is reported late: the file is being thrown away anyway.
  }
}
