import { constants } from 'node:fs'
import { access, lstat, stat, statfs } from 'node:fs/promises'
import { errnoOf } from '../../lib/errors.js'

/** Types of statfs(2) whose files are the kernel's: /proc, /sys and what is mounted below it. */
const KERNEL_FILE_SYSTEMS = new Set([
  0x9fa0, 0x62656572, 0x63677270, 0x27e0eb, 0x64626720, 0x74726163, 0x73636673, 0xcafe4a11,
])

/** Why there can be no directory made in this one, by nobody, as a sentence fragment; undefined: no such reason. */
export async function whyNothingCanBeMade(directory: string): Promise<string | undefined> {
  const { type } = await statfs(directory)
  if (KERNEL_FILE_SYSTEMS.has(type)) return `${directory} is the kernel's own and holds no other files`
  const errno = await access(directory, constants.W_OK).then(() => undefined, errnoOf)
  return errno === 'EROFS' ? `${directory} is on a file system that is mounted read-only` : undefined
}

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
