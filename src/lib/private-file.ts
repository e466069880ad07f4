import fs from 'node:fs'
import { errnoOf } from './errors.js'

/** Permission bits of everybody but the owner. */
const OTHERS = 0o077

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = fs.constants

/**
 * Writes a file that only this user can read, in place of what has the name. Not atomic, and not synced.
 * @throws the system error
 */
export function writePrivateFile(file: string, text: string): void {
  // A new file: one that is there could be open for others.
  try {
    fs.unlinkSync(file)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  fs.writeFileSync(file, text, { mode: 0o600, flag: 'wx' })
}

/** Takes the rights of others away from a file of ours; what is not there, a link, or somebody else's stays as it is. */
export function makeFilePrivate(file: string): void {
  takeRightsAway(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
}

/**
 * Makes a directory (its parents are there) that only this user can look into. One that is there loses the rights of others, if it is
 * ours: what somebody else prepared stays as it is. @throws the system error when it cannot be made
 */
export function makePrivateDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    takeRightsAway(directory, O_RDONLY | O_DIRECTORY)
  }
}

function takeRightsAway(path: string, flags: number): void {
  let fd: number
  try {
    fd = fs.openSync(path, flags)
  } catch {
    return
  }
  try {
    const { mode, uid } = fs.fstatSync(fd)
    if ((mode & OTHERS) !== 0 && uid === process.geteuid?.()) fs.fchmodSync(fd, mode & 0o7777 & ~OTHERS)
  } finally {
    fs.closeSync(fd)
  }
}
