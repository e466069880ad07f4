import { lstat, stat } from 'node:fs/promises'
import { errnoOf } from '../../lib/errors.js'

/** What stands where a directory is to be. */
export type DirectoryState =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'directory'
      /** Permission bits. */
      readonly mode: number
      readonly uid: number
      readonly gid: number
      /** Reached through a symbolic link. */
      readonly link: boolean
    }
  /** `why` completes "PATH …". */
  | { readonly kind: 'other'; readonly why: string }

/** Looks at a path. What cannot be looked at, or is below a file, is told by what is above it. */
export async function readDirectoryState(path: string): Promise<DirectoryState> {
  try {
    const link = (await lstat(path)).isSymbolicLink()
    const found = await stat(path)
    if (!found.isDirectory()) return { kind: 'other', why: 'is no directory' }
    return { kind: 'directory', mode: found.mode & 0o7777, uid: found.uid, gid: found.gid, link }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ELOOP') return { kind: 'other', why: 'is a symbolic link to itself' }
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR')
      return { kind: 'other', why: `cannot be looked at: ${errno}` }
    const isLink = await lstat(path).then(
      (found) => found.isSymbolicLink(),
      () => false,
    )
    return isLink ? { kind: 'other', why: 'is a symbolic link to nothing' } : { kind: 'absent' }
  }
}
