import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'

const FULL = 'no space or no inodes left on the disk'

const PHRASES: Readonly<Record<string, string>> = {
  ENOSPC: FULL,
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  ENOENT: 'its directory is not there',
  ENOTDIR: 'a file is in the way of its directory',
  EEXIST: 'something else is there already',
  ENOTEMPTY: 'the directory is not empty',
  EISDIR: 'a directory is in the way',
  EBUSY: 'it is in use, perhaps as a mount point',
  EIO: 'the disk reports an error',
  ESTALE: 'the file server has lost it',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'a symbolic link is in the way',
}

/** Why a change failed, as a sentence fragment for people. Paths through descriptors, which mean nothing to them, are left out. */
export function reasonOf(error: unknown, isRoot: boolean): string {
  if (error instanceof MagnetarError) return error.code === 'DISK_FULL' ? FULL : error.message
  const errno = errnoOf(error)
  if (errno === undefined) return messageOf(error)
  if (isDenied(error)) {
    return isRoot
      ? `not even root may do that here: an immutable file, or a file server that does not trust root (${errno})`
      : `this user may not do that (${errno})`
  }
  const phrase = PHRASES[errno]
  return phrase === undefined
    ? messageOf(error).replace(/\/proc\/self\/fd\/\d+\/?/g, '')
    : `${phrase} (${errno})`
}

/** Whether rights are missing. */
export function isDenied(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'EACCES' || errno === 'EPERM'
}

/** Whether there is no room. */
export function isFull(error: unknown): boolean {
  const errno = errnoOf(error)
  return (
    errno === 'ENOSPC' || errno === 'EDQUOT' || (error instanceof MagnetarError && error.code === 'DISK_FULL')
  )
}
