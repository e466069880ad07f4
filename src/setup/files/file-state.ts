import { lstat, readFile, stat } from 'node:fs/promises'
import { errnoOf, MagnetarError } from '../../lib/errors.js'
import { limitTime } from '../../lib/time-limit.js'

const MAX_BYTES = 1024 * 1024
const TIMEOUT_MS = 10_000

/** A configuration file as it is on the disk. */
export type FileState =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'file'
      readonly text: string
      /** Permission bits. */
      readonly mode: number
      readonly uid: number
      readonly gid: number
      /** Reached through a symbolic link, which setup does not write through. */
      readonly link: boolean
    }
  /** `why` completes "PATH …". */
  | { readonly kind: 'unusable'; readonly why: string }

/**
 * Looks at a file.
 * @throws MagnetarError NOT_PERMITTED when this user may not read it
 */
export async function readFileState(path: string, signal: AbortSignal): Promise<FileState> {
  const limit = limitTime(signal, TIMEOUT_MS)
  try {
    const link = (await lstat(path)).isSymbolicLink()
    const found = await stat(path).catch((error: unknown) => {
      if (link && errnoOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (found === undefined) return { kind: 'unusable', why: 'is a symbolic link to nothing' }
    if (!found.isFile()) return { kind: 'unusable', why: 'is not a regular file' }
    if (found.size > MAX_BYTES) return { kind: 'unusable', why: `has more than ${MAX_BYTES} bytes` }
    const bytes = await readFile(path, { signal: limit.signal })
    const { mode, uid, gid } = found
    return { kind: 'file', text: decode(bytes), mode: mode & 0o7777, uid, gid, link }
  } catch (error) {
    signal.throwIfAborted()
    const errno = errnoOf(error)
    // ENOTDIR: a file stands where a directory is to be, which the step of the directories tells.
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return { kind: 'absent' }
    if (errno === 'EACCES' || errno === 'EPERM')
      throw new MagnetarError('NOT_PERMITTED', `${path} is there, but this user may not read it`, {
        fix: 'Run the command as root, or as the user that the file belongs to.',
        cause: error,
      })
    if (error instanceof TypeError) return { kind: 'unusable', why: 'is not UTF-8 text' }
    throw error
  } finally {
    limit.release()
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
}
