import fs from 'node:fs'
import { type NewFile, UPLOAD_PREFIX } from './confined-file.js'
import { fileError, openParent, pathThrough } from './confined-file-walk.js'
import { errnoOf, MagnetarError } from './errors.js'

/**
 * Files that are written in several attempts, also of several processes: each new attempt goes on where the last one stopped.
 * Until commitNewFile (lib/confined-file) they have a hidden name. Synchronous, made to run in a disk thread.
 */

const { O_RDWR, O_RDONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } = fs.constants
const FLAGS = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY

/** Commit, discard or close it; exactly one of them, with no read or write in flight. */
export interface PartFile extends NewFile {
  /** Bytes that an earlier attempt left. */
  readonly size: number
  /** Bytes that its file system has left for us, and has in all. */
  readonly freeBytes: number
  readonly diskBytes: number
}

/**
 * Opens the part named `part` of the file base/components for reading and writing. Missing parents and a missing part are made;
 * with `existing`, a missing part is undefined.
 * @throws MagnetarError FILE_OUTSIDE_JOB, NOT_A_FILE, FILE_NOT_FOUND, FILE_NAME_INVALID; else the system error
 */
export function openPartFile(
  base: string,
  components: readonly string[],
  part: string,
  options: { readonly existing?: boolean; readonly mode?: number } = {},
): PartFile | undefined {
  const last = components[components.length - 1]
  if (last === undefined) throw new MagnetarError('FILE_NAME_INVALID', 'the name of the file is empty')
  const directory = openParent(base, components)
  try {
    const temporary = pathThrough(directory, partFileName(part))
    const fd = openOwn(temporary, options.existing === true, options.mode ?? 0o666)
    if (fd !== undefined) return { fd, directory, temporary, last, ...measure(fd) }
  } catch (error) {
    fs.closeSync(directory)
    throw fileError(error, components.join('/'))
  }
  fs.closeSync(directory)
  return undefined
}

/** The name of a part on disk. Hidden from every listing, like an upload that is not complete. */
export function partFileName(part: string): string {
  return `${UPLOAD_PREFIX}part-${part}`
}

/** Closes it and leaves what it holds for the next attempt; never throws. */
export function closePartFile({ fd, directory }: NewFile): void {
  for (const each of [fd, directory]) {
    try {
      fs.closeSync(each)
    } catch {
      // A write error that is reported late. The next attempt meets it again.
    }
  }
}

/** Removes the part of an earlier attempt that nobody will go on with, if it is there. Errors as openPartFile. */
export function removePartFile(base: string, components: readonly string[], part: string): void {
  const directory = openParent(base, components)
  try {
    fs.unlinkSync(pathThrough(directory, partFileName(part)))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, components.join('/'))
  } finally {
    fs.closeSync(directory)
  }
}

/** A descriptor of the directory that can be synced; the one we have only names it. The caller closes it. */
export function openDirectoryToSync({ directory }: NewFile): number {
  return fs.openSync(pathThrough(directory), O_RDONLY | O_DIRECTORY)
}

function openOwn(temporary: string, existing: boolean, mode: number): number | undefined {
  let fd: number
  try {
    fd = fs.openSync(temporary, existing ? FLAGS : FLAGS | O_CREAT, mode)
  } catch (error) {
    if (existing && errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  const stats = fs.fstatSync(fd)
  if (stats.isFile() && stats.nlink === 1) return fd
  fs.closeSync(fd)
  // Somebody put something of their own under this name: a pipe, or a second name of another file.
  fs.unlinkSync(temporary)
  return existing ? undefined : fs.openSync(temporary, FLAGS | O_CREAT | O_EXCL, mode)
}

/** Closes it on failure. */
function measure(fd: number): Pick<PartFile, 'size' | 'freeBytes' | 'diskBytes'> {
  try {
    const { bavail, blocks, bsize } = fs.statfsSync(pathThrough(fd))
    return { size: fs.fstatSync(fd).size, freeBytes: bavail * bsize, diskBytes: blocks * bsize }
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}
