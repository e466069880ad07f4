import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathThrough } from '../../lib/confined-file-walk.js'
import { messageOf } from '../../lib/errors.js'
import { TEMPORARY_FALLBACKS } from '../../lib/make-temporary.js'
import { TransferError } from '../transfer-error.js'

/** Linux; not in fs.constants. */
const O_TMPFILE = 0o20000000 | fs.constants.O_DIRECTORY
const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants

/** A private key that ssh can read, until it is closed. */
export interface KeyFile {
  readonly path: string
  close(): void
}

/**
 * Puts a key where ssh can read it: a file of mode 0600 without a name, reached through this process (/proc/PID/fd). It ends with the
 * process, so that nothing is left on the disk even by SIGKILL or a power cut; in memory where there is /dev/shm.
 * @param directories where it may lie, the best first; some may not be there
 * @throws TransferError
 */
export function openKeyFile(
  key: string,
  directories = ['/dev/shm', os.tmpdir(), ...TEMPORARY_FALLBACKS],
): KeyFile {
  let fd: number | undefined
  try {
    fd = openUnnamed(directories)
    fs.writeSync(fd, key)
    const held = fd
    return { path: pathOfOurs(held), close: () => fs.closeSync(held) }
  } catch (error) {
    if (fd !== undefined) fs.closeSync(fd)
    const message = `the key for ssh could not be put into a file: ${messageOf(error)}`
    throw new TransferError(message, { transient: true, cause: error })
  }
}

/** The path by which a child process of the same user reaches what a descriptor of ours holds. */
export function pathOfOurs(fd: number, name?: string): string {
  return pathThrough(fd, name).replace('/self/', `/${process.pid}/`)
}

function openUnnamed(directories: readonly string[]): number {
  let problem: unknown
  for (const open of [openTemporary, openAndRemove]) {
    for (const directory of directories) {
      try {
        return open(directory)
      } catch (error) {
        // Not there, not ours, or a file system that has no such files.
        problem = error
      }
    }
  }
  throw problem
}

function openTemporary(directory: string): number {
  return fs.openSync(directory, O_TMPFILE | O_RDWR | O_EXCL, 0o600)
}

function openAndRemove(below: string): number {
  const directory = fs.mkdtempSync(path.join(below, 'magnetar-'))
  const file = path.join(directory, randomBytes(8).toString('hex'))
  try {
    return fs.openSync(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}
