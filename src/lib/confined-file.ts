import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import {
  fileError,
  isWithin,
  openAsync,
  openParent,
  outsideError,
  pathThrough,
  quote,
  realPathOf,
} from './confined-file-walk.js'
import { errnoOf, MagnetarError } from './errors.js'

/**
 * Reading and writing below a base directory which a hostile tool may be rearranging at the same moment: every check is made
 * on an open descriptor, never on a path that is used again later. Linux only (/proc/self/fd).
 */

/** Files with this beginning are uploads that are not complete, or were cut off by a crash. Never part of a result. */
export const UPLOAD_PREFIX = '.magnetar-upload-'

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } =
  fs.constants
const fstatAsync = promisify(fs.fstat) as (fd: number) => Promise<fs.Stats>
const closeAsync = promisify(fs.close)
const renameAsync = promisify(fs.rename)
const unlinkAsync = promisify(fs.unlink)
const fsyncAsync = promisify(fs.fsync)
const fchmodAsync = promisify(fs.fchmod)
const copyFileAsync = promisify(fs.copyFile) as (from: string, to: string, mode: number) => Promise<void>
const realpathAsync = promisify(fs.realpath.native) as (path: string) => Promise<string>

export interface OpenFile {
  readonly fd: number
  /** Bytes, when it was opened. */
  readonly size: number
}

/**
 * Opens a regular file for reading; links are followed as long as they stay inside `base`. The caller closes `fd`.
 * @throws MagnetarError FILE_NOT_FOUND, NOT_A_FILE, FILE_OUTSIDE_JOB
 */
export async function openForRead(base: string, components: readonly string[]): Promise<OpenFile> {
  const name = components.join('/')
  let fd: number
  try {
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    fd = await openAsync(`${base}/${name}`, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  } catch (error) {
    // A loop of links has no file at its end.
    if (errnoOf(error) !== 'ELOOP') throw fileError(error, name)
    throw new MagnetarError('FILE_NOT_FOUND', `there is no file ${quote(name)}`, { cause: error })
  }
  try {
    // Where it is comes before what it is: nothing is told about files outside.
    if (!(await isConfined(base, realPathOf(fd)))) throw outsideError(name)
    const stats = await fstatAsync(fd)
    if (!stats.isFile()) throw new MagnetarError('NOT_A_FILE', `${quote(name)} is not a regular file`)
    return { fd, size: stats.size }
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}

/** The base itself may not be a link, else a tool could move its whole outputs directory elsewhere; what is above may. */
async function isConfined(base: string, real: string): Promise<boolean> {
  if (isWithin(base, real)) return true
  const parent = await realpathAsync(path.dirname(base)).catch(() => undefined)
  return parent !== undefined && isWithin(path.join(parent, path.basename(base)), real)
}

/** A file being written under a temporary name. Exactly one of commit and discard is called, once, with no write in flight. */
export interface NewFile {
  readonly fd: number
  /**
   * Closes the file and gives it its name, in place of a file or link that has it. With `sync` file and name are on disk
   * afterwards. On failure nothing is left behind.
   * @throws MagnetarError NOT_A_FILE when a directory has the name
   */
  commit(options?: { sync?: boolean }): Promise<void>
  /** Closes and removes it; never rejects. */
  discard(): Promise<void>
}

let serial = 0
const processId = randomBytes(6).toString('hex')

/**
 * Creates a file that becomes visible as base/components only by commit(). Missing parents are made.
 * @throws MagnetarError FILE_OUTSIDE_JOB, NOT_A_FILE, FILE_NOT_FOUND
 */
export async function createForWrite(
  base: string,
  components: readonly string[],
  mode = 0o666,
): Promise<NewFile> {
  const name = components.join('/')
  const last = components[components.length - 1]
  if (last === undefined) throw new MagnetarError('FILE_NAME_INVALID', 'the name of the file is empty')
  const directory = await openParent(base, components)
  const temporary = pathThrough(directory, `${UPLOAD_PREFIX}${processId}-${(serial++).toString(36)}`)
  let fd: number
  try {
    fd = await openAsync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
  } catch (error) {
    fs.closeSync(directory)
    throw fileError(error, name)
  }
  return {
    fd,
    async commit(options = {}): Promise<void> {
      let open = true
      try {
        if (options.sync) await fsyncAsync(fd)
        open = false
        // Network file systems report a full disk or a quota only here.
        await closeAsync(fd)
        await renameAsync(temporary, pathThrough(directory, last))
        if (options.sync) await syncDirectory(directory)
      } catch (error) {
        if (open) fs.close(fd)
        await unlinkAsync(temporary).catch(() => {})
        throw fileError(error, name)
      } finally {
        fs.closeSync(directory)
      }
    },
    async discard(): Promise<void> {
      await unlinkAsync(temporary).catch(() => {})
      fs.closeSync(directory)
      await closeAsync(fd).catch(() => {})
    },
  }
}

async function syncDirectory(directory: number): Promise<void> {
  // The descriptor we have only names the directory; fsync wants one that is open for reading.
  const fd = await openAsync(pathThrough(directory), O_RDONLY | O_DIRECTORY)
  try {
    await fsyncAsync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Makes base (one level) and the parents of base/components, as createForWrite would. Same errors. */
export async function makeParents(base: string, components: readonly string[]): Promise<void> {
  fs.closeSync(await openParent(base, components))
}

/**
 * Creates an empty file, or leaves the one that is there as it is (touch_outputs: the real server opens in append mode).
 * @throws MagnetarError FILE_OUTSIDE_JOB also for a link, NOT_A_FILE, FILE_NOT_FOUND
 */
export async function touchFile(base: string, components: readonly string[]): Promise<void> {
  const name = components.join('/')
  const directory = await openParent(base, components)
  try {
    const target = pathThrough(directory, components[components.length - 1])
    const fd = await openAsync(
      target,
      O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
      0o666,
    )
    try {
      if (!(await fstatAsync(fd)).isFile())
        throw new MagnetarError('NOT_A_FILE', `${quote(name)} is not a regular file`)
    } finally {
      await closeAsync(fd)
    }
  } catch (error) {
    throw fileError(error, name)
  } finally {
    fs.closeSync(directory)
  }
}

/**
 * Copies all of the open file `source` to base/components, sharing its blocks where the file system can. Errors as
 * createForWrite and commit. `source` stays open.
 */
export async function writeWhole(base: string, components: readonly string[], source: number): Promise<void> {
  const file = await createForWrite(base, components)
  try {
    const { mode } = await fstatAsync(file.fd)
    await copyFileAsync(pathThrough(source), pathThrough(file.fd), fs.constants.COPYFILE_FICLONE)
    // copyFile also copies the mode, and a cached file is 0600: a tool under another account could not read it.
    await fchmodAsync(file.fd, mode & 0o7777)
  } catch (error) {
    await file.discard()
    throw error
  }
  await file.commit()
}
