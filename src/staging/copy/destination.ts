import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { syncDirectory } from '../../lib/atomic-file.js'
import { UPLOAD_PREFIX } from '../../lib/confined-file.js'
import { errnoOf, MagnetarError } from '../../lib/errors.js'

/** Files that are made outside the job directories, where Galaxy wants them. Synchronous (copy-tasks.ts). */

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants

/** A file under its temporary name, beside the one that it is to replace. Named or dropped, once. */
export interface Destination {
  readonly fd: number
  readonly temporary: string
  readonly target: string
  /** Bytes that its file system has left for us; Infinity when it does not say. */
  readonly freeBytes: number
}

/**
 * Begins a file that gets the name `target` by nameDestination. Missing parents are made. A link at `target` is followed, as
 * Python's open() does. The temporary name is always the same: what a crash left is replaced.
 * @throws MagnetarError NOT_A_FILE; else the system error
 */
export function openDestination(target: string): Destination {
  makeDirectories(path.dirname(target))
  const real = realPath(target)
  const before = fs.statSync(real, { throwIfNoEntry: false })
  if (before && !before.isFile()) throw new MagnetarError('NOT_A_FILE', `${target} is not a regular file`)
  const hash = createHash('sha256').update(real).digest('hex').slice(0, 24)
  const temporary = path.join(path.dirname(real), `${UPLOAD_PREFIX}to-${hash}`)
  fs.rmSync(temporary, { force: true })
  const fd = fs.openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666)
  try {
    if (before) keepAttributes(fd, before)
    const { bavail, blocks, bsize } = fs.statfsSync(path.dirname(real))
    const freeBytes = blocks > 0 ? bavail * bsize : Number.POSITIVE_INFINITY
    return { fd, temporary, target: real, freeBytes }
  } catch (error) {
    dropDestination({ fd, temporary, target: real, freeBytes: 0 })
    throw error
  }
}

/**
 * Gives a complete file its name; then both are on disk. On failure nothing is left.
 * @throws the system error; MagnetarError NOT_A_FILE when somebody took the temporary name meanwhile
 */
export function nameDestination(file: Destination): void {
  const { fd, temporary, target } = file
  let open = true
  try {
    fs.fsyncSync(fd)
    const { ino } = fs.fstatSync(fd)
    open = false
    // Network file systems report a full disk or a quota only here.
    fs.closeSync(fd)
    if (fs.lstatSync(temporary, { throwIfNoEntry: false })?.ino !== ino)
      throw new MagnetarError('NOT_A_FILE', `something else writes ${target} at the same moment`)
    fs.renameSync(temporary, target)
  } catch (error) {
    if (open) quietly(() => fs.closeSync(fd))
    quietly(() => fs.unlinkSync(temporary))
    throw error
  }
  syncDirectory(path.dirname(target))
}

/** Closes and removes it; never throws. */
export function dropDestination({ fd, temporary }: Destination): void {
  quietly(() => fs.closeSync(fd))
  quietly(() => fs.unlinkSync(temporary))
}

/** Python writes into the file that is there: its mode and, where that is allowed, its owner stay. */
function keepAttributes(fd: number, { mode, uid, gid }: fs.Stats): void {
  const own = fs.fstatSync(fd)
  if (own.uid !== uid || own.gid !== gid) {
    quietly(() => fs.fchownSync(fd, own.uid, gid))
    quietly(() => fs.fchownSync(fd, uid, gid))
  }
  quietly(() => fs.fchmodSync(fd, mode & 0o777))
}

/** Where links at its end lead; itself when nothing is there. */
function realPath(target: string): string {
  try {
    return fs.realpathSync.native(target)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    return target
  }
}

/** As makeDirectories of lib/fs, synchronously. */
function makeDirectories(directory: string): void {
  if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return
  const parent = path.dirname(directory)
  if (parent !== directory) makeDirectories(parent)
  try {
    fs.mkdirSync(directory)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !fs.statSync(directory).isDirectory()) throw error
  }
}

function quietly(action: () => void): void {
  try {
    action()
  } catch {
    // What matters is reported by something else, or does not matter.
  }
}
