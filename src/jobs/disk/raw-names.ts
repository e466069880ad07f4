import fs from 'node:fs'
import path from 'node:path'
import { isWithin, openDirectory, pathThrough, realPathOf } from '../../lib/confined-file-walk.js'
import { errnoOf } from '../../lib/errors.js'

/**
 * Names on disk are bytes. One that is not UTF-8 (Latin-1, half a character) is read with U+FFFD in the place of what cannot be
 * told, and no file can be opened by that.
 */
export function mayBeOtherThanUtf8(name: string): boolean {
  return name.includes('\uFFFD')
}

export interface RawName {
  readonly raw: Buffer
  readonly isDirectory: boolean
}

/** The names in a directory that are not UTF-8, of its first `limit` names. Throws what the system says. */
export function notUtf8Names(directory: string | Buffer, root: string, limit: number): RawName[] {
  const found: RawName[] = []
  // Typed for texts alone.
  const options = { encoding: 'buffer' as BufferEncoding }
  const open = openConfined(directory, root, options)
  try {
    let left = limit
    for (let entry = open.readSync(); entry && left > 0; entry = open.readSync(), left--) {
      const raw = entry.name as unknown as Buffer
      if (!raw.equals(Buffer.from(raw.toString()))) found.push({ raw, isDirectory: entry.isDirectory() })
    }
  } finally {
    open.closeSync()
  }
  return found
}

/** A path below a directory whose own name may be bytes. */
export function joinRaw<Directory extends string | Buffer>(
  directory: Directory,
  name: string | Buffer,
): Directory | Buffer {
  if (typeof directory === 'string' && typeof name === 'string') return `${directory}/${name}` as Directory
  return Buffer.concat([Buffer.from(directory), Buffer.from('/'), Buffer.from(name)])
}

/** Where a directory of a job really is: links above it are the admin's, it is none itself. Itself when it is gone. */
export function realParent(directory: string): string {
  try {
    return path.join(fs.realpathSync.native(path.dirname(directory)), path.basename(directory))
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return directory
  }
}

/**
 * Opens a directory for its names, if that is at `root` or below it: a tool may put a link in the place of it, or of one above it,
 * after it was seen. @throws the system error; ENOTDIR for what has become something else
 */
export function openConfined(directory: string | Buffer, root: string, options: fs.OpenDirOptions): fs.Dir {
  const fd = openDirectory(directory)
  try {
    if (!isWithin(root, realPathOf(fd)))
      throw Object.assign(new Error('the directory was moved away'), { code: 'ENOTDIR' })
    return fs.opendirSync(pathThrough(fd), options)
  } finally {
    fs.closeSync(fd)
  }
}
