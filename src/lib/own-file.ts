import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { open } from 'node:fs/promises'
import { UPLOAD_PREFIX } from './confined-file.js'
import { openDirectory, pathThrough } from './confined-file-walk.js'
import { errnoOf } from './errors.js'

/**
 * Small files of the server's own in a directory in which a tool works as well: it may have put a link, a pipe or a device in their
 * place. What is no regular file counts as not there, is never followed or waited for, and never written into.
 */

/** A submit, the largest of them, is at most as large as a request may be. */
const MAX_BYTES = 64 * 1024 * 1024

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants
const READ_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY

/** What open says when there is none, or something that is no file of ours. */
const NOT_THERE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENODEV'])

/**
 * The text of a file; undefined when there is none, and for a link, anything but a regular file, one of more than 64 MiB, and one of
 * our own that was closed even for us. @throws the system error when it cannot be read just now
 */
export function readOwnFile(file: string): string | undefined {
  let fd: number
  try {
    fd = fs.openSync(file, READ_FLAGS)
  } catch (error) {
    if (countsAsMissing(error, () => fs.lstatSync(file, { throwIfNoEntry: false }))) return undefined
    throw error
  }
  try {
    const found = fs.fstatSync(fd)
    if (!found.isFile() || found.size > MAX_BYTES) return undefined
    const content = Buffer.allocUnsafe(found.size)
    let have = 0
    while (have < content.length) {
      const bytes = fs.readSync(fd, content, have, content.length - have, have)
      if (bytes === 0) break
      have += bytes
    }
    return content.toString('utf8', 0, have)
  } finally {
    fs.closeSync(fd)
  }
}

/** The same without blocking the thread. */
export async function readOwnFileSoon(file: string): Promise<string | undefined> {
  let handle: fs.promises.FileHandle
  try {
    handle = await open(file, READ_FLAGS)
  } catch (error) {
    if (countsAsMissing(error, () => fs.lstatSync(file, { throwIfNoEntry: false }))) return undefined
    throw error
  }
  try {
    const found = await handle.stat()
    if (!found.isFile() || found.size > MAX_BYTES) return undefined
    const content = Buffer.allocUnsafe(found.size)
    const { bytesRead } = await handle.read(content, 0, content.length, 0)
    return content.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}

/** EACCES may pass (a ticket that has run out); a file of ours whose owner may not read it was made so by the job. */
function countsAsMissing(error: unknown, look: () => fs.Stats | undefined): boolean {
  const errno = errnoOf(error)
  if (NOT_THERE.has(errno)) return true
  if (errno !== 'EACCES') return false
  try {
    const found = look()
    return found?.uid === process.geteuid?.() && (found?.mode ?? 0) % 0o1000 < 0o400
  } catch {
    return false
  }
}

/**
 * Gives a file in `directory` this content, whole, in place of what has its name. Not synced.
 * @returns false when the directory is gone, or a directory has the name
 * @throws the system error
 */
export function replaceOwnFile(directory: string, name: string, text: string, mode = 0o666): boolean {
  let at: number
  try {
    at = openDirectory(directory)
  } catch (error) {
    if (NOT_THERE.has(errnoOf(error))) return false
    throw error
  }
  const temporary = pathThrough(at, `${UPLOAD_PREFIX}own-${randomBytes(6).toString('hex')}`)
  try {
    const fd = fs.openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
    try {
      fs.writeFileSync(fd, text)
    } finally {
      fs.closeSync(fd)
    }
    fs.renameSync(temporary, pathThrough(at, name))
    return true
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    if (['EISDIR', 'ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(errnoOf(error) ?? '')) return false
    throw error
  } finally {
    fs.closeSync(at)
  }
}
