import fs from 'node:fs'
import { errnoOf, MagnetarError } from './errors.js'

/**
 * Directories held by descriptor. Node has no openat(), but on Linux `/proc/self/fd/N/name` resolves `name` in exactly the
 * directory that descriptor N holds, whatever has been renamed or replaced by a link meanwhile.
 */

// Linux; not in fs.constants. A descriptor that only names the directory: needs no read permission, opens no device.
export const O_PATH = 0o10000000
const { O_DIRECTORY, O_NOFOLLOW } = fs.constants

/** A path that goes through the directory `fd`, or stands for what `fd` holds. */
export function pathThrough(fd: number, name?: string): string {
  return name === undefined ? `/proc/self/fd/${fd}` : `/proc/self/fd/${fd}/${name}`
}

/** Where what `fd` holds really is. */
export function realPathOf(fd: number): string {
  return fs.readlinkSync(pathThrough(fd))
}

/** Whether the real path `path` is `root` or below it. */
export function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`)
}

/** Opens a directory without following a link at its end; the system error when it is none. */
export function openDirectory(path: string | Buffer): number {
  return fs.openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)
}

/** The MagnetarError for a failed file operation on `name`; errors that say nothing about the name stay as they are. */
export function fileError(error: unknown, name: string): unknown {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new MagnetarError('FILE_NOT_FOUND', `there is no file ${quote(name)}`, { cause: error })
    case 'ELOOP':
      return new MagnetarError('FILE_OUTSIDE_JOB', `${quote(name)} is a symbolic link that cannot be used`, {
        cause: error,
      })
    case 'EISDIR':
    case 'ENOTEMPTY':
    case 'EEXIST':
    case 'ENXIO':
    case 'ENODEV':
      return new MagnetarError('NOT_A_FILE', `${quote(name)} is not a regular file`, { cause: error })
    case 'ENAMETOOLONG':
      return new MagnetarError('FILE_NAME_INVALID', `the name ${quote(name)} is too long`, { cause: error })
    default:
      return error
  }
}

/** Refusal of a name that leads out of the job directory. */
export function outsideError(name: string): MagnetarError {
  return new MagnetarError('FILE_OUTSIDE_JOB', `${quote(name)} leads outside the directory it belongs to`)
}

/** The name in quotes, cut when somebody sent pages of it. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
}

/**
 * Opens the directory that holds the last of `components`, making `base` (one level) and the missing parents. A parent that
 * is a link is used when it leads to a directory inside `base`. The caller closes the descriptor (closeSync is fine: it
 * holds nothing that has to be written).
 * @throws MagnetarError FILE_OUTSIDE_JOB, NOT_A_FILE, FILE_NOT_FOUND (the job directory is gone)
 */
export function openParent(base: string, components: readonly string[]): number {
  const name = components.join('/')
  const baseFd = openOrMake(base, name)
  if (components.length === 1) return baseFd
  let fd = baseFd
  try {
    for (const component of components.slice(0, -1)) {
      const next = openInside(fd, component, baseFd, name)
      if (fd !== baseFd) fs.closeSync(fd)
      fd = next
    }
  } catch (error) {
    if (fd !== baseFd) fs.closeSync(fd)
    throw error
  } finally {
    fs.closeSync(baseFd)
  }
  return fd
}

function openInside(fd: number, component: string, baseFd: number, name: string): number {
  const path = pathThrough(fd, component)
  if (!isLink(path)) return openOrMake(path, name)
  // Followed first and judged afterwards by where the descriptor really is: nothing can be swapped in between.
  let target: number
  try {
    target = fs.openSync(path, O_PATH | O_DIRECTORY)
  } catch (error) {
    throw fileError(error, name)
  }
  if (isWithin(realPathOf(baseFd), realPathOf(target))) return target
  fs.closeSync(target)
  throw outsideError(name)
}

function openOrMake(path: string, name: string): number {
  try {
    return openDirectory(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw whyNoDirectory(error, path, name)
  }
  try {
    fs.mkdirSync(path)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw fileError(error, name)
  }
  try {
    return openDirectory(path)
  } catch (error) {
    throw whyNoDirectory(error, path, name)
  }
}

function whyNoDirectory(error: unknown, path: string, name: string): unknown {
  const errno = errnoOf(error)
  if (errno !== 'ENOTDIR' && errno !== 'ELOOP') return fileError(error, name)
  if (isLink(path)) return outsideError(name)
  return new MagnetarError('NOT_A_FILE', `a file is in the way of a directory of ${quote(name)}`, {
    cause: error,
  })
}

function isLink(path: string): boolean {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}
