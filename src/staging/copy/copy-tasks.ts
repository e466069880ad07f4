import fs from 'node:fs'
import { pathThrough } from '../../lib/confined-file-walk.js'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { dropDestination, nameDestination, openDestination } from './destination.js'

/**
 * What copying does to a file system that others share with us, and that may hang when its server does. Synchronous, in threads of
 * their own: Node's threads, which all other files need, must not wait for it.
 */

const { O_RDONLY, O_NONBLOCK, O_NOCTTY, COPYFILE_FICLONE_FORCE } = fs.constants

/** A piece ends after so many bytes or so much time, whichever is first: then the caller can stop. */
const PIECE_BYTES = 64 * 1024 * 1024
const PIECE_MS = 200
const BUFFER_BYTES = 1024 * 1024

export interface SourceFile {
  readonly fd: number
  readonly size: number
  /** Differs when the content does, as far as a file system tells. */
  readonly identity: string
}

/**
 * Opens a regular file, wherever links lead. The caller closes `fd`.
 * @throws MagnetarError NOT_A_FILE; else the system error
 */
function openSource(path: string): SourceFile {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const fd = fs.openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  try {
    if (!fs.fstatSync(fd).isFile()) throw new MagnetarError('NOT_A_FILE', `${path} is not a regular file`)
    return { fd, ...identify(fd) }
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}

function identify(fd: number): Pick<SourceFile, 'size' | 'identity'> {
  const { dev, ino, size, mtimeNs, ctimeNs } = fs.fstatSync(fd, { bigint: true })
  return { size: Number(size), identity: [dev, ino, size, mtimeNs, ctimeNs].join('-') }
}

/** Shares the blocks of `from` with `to`, all of it; false when their file systems cannot. */
function cloneFile(from: number, to: number): boolean {
  const { mode } = fs.fstatSync(to)
  try {
    fs.copyFileSync(pathThrough(from), pathThrough(to), COPYFILE_FICLONE_FORCE)
    return true
  } catch {
    return false
  } finally {
    // copyFile copies the mode too.
    fs.fchmodSync(to, mode & 0o7777)
  }
}

let buffer: Buffer | undefined

export interface CopiedPiece {
  /** 0: `from` has no more, or there is a `writeError`. */
  readonly bytes: number
  /** Told apart from a failure to read, which is thrown: the two files belong to different people. */
  readonly writeError?: { readonly errno: string; readonly message: string }
}

/** Copies from `position` on, not further than `end`. */
function copyPiece(from: number, to: number, position: number, end: number): CopiedPiece {
  buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES)
  const stopMs = performance.now() + PIECE_MS
  const stopAt = Math.min(end, position + PIECE_BYTES)
  let at = position
  do {
    const read = fs.readSync(from, buffer, 0, Math.min(BUFFER_BYTES, stopAt - at), at)
    if (read === 0) break
    try {
      for (let written = 0; written < read; )
        written += fs.writeSync(to, buffer, written, read - written, at + written)
    } catch (error) {
      return { bytes: 0, writeError: { errno: errnoOf(error) ?? 'EIO', message: messageOf(error) } }
    }
    at += read
  } while (at < stopAt && performance.now() < stopMs)
  return { bytes: at - position }
}

function truncate(fd: number, size: number): void {
  fs.ftruncateSync(fd, size)
}

function closeFile(fd: number): void {
  fs.closeSync(fd)
}

export const copyTasks = {
  cloneFile,
  closeFile,
  copyPiece,
  dropDestination,
  identify,
  nameDestination,
  openDestination,
  openSource,
  truncate,
}
