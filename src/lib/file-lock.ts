import { constants, type FileHandle, open } from 'node:fs/promises'
import { errnoOf, messageOf } from './errors.js'
import { CommandNotStarted, runCommand } from './exec.js'

/** Held until `release`, or until this process and every command that got `fd` (exec.ts, passFds) have ended. */
export interface FileLock {
  readonly fd: number
  release(): Promise<void>
}

/** Somebody else has the lock, for longer than was to be waited. */
export class LockBusy extends Error {}

/**
 * The exclusive lock of a file, which is made when it is not there. It is the kernel's flock: nothing is left of it when its holder is
 * killed, and it holds between hosts where the file system carries it (NFS 4, Lustre with `flock`). Node has no call for it; flock(1)
 * locks the open file it is handed, and the lock stays with that when flock(1) has ended.
 * @throws LockBusy; Error when the file system or the host has no such locks; the signal's reason
 */
export async function lockFile(
  file: string,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<FileLock> {
  const handle = await openToLock(file)
  try {
    const { fd } = handle
    const { code, timedOut, stderr } = await runCommand('flock', ['-x', '3'], { ...options, passFds: [fd] })
    if (timedOut) throw new LockBusy(`another process holds the lock ${file}`)
    if (code !== 0) throw new Error(`cannot lock ${file}: ${stderr.trim() || `flock ended with ${code}`}`)
    return { fd, release: () => handle.close() }
  } catch (error) {
    await handle.close()
    if (error instanceof CommandNotStarted) throw new Error(`cannot lock ${file}: ${messageOf(error)}`)
    throw error
  }
}

/** NFS wants it open for writing; a file of another user can often only be read. */
async function openToLock(file: string): Promise<FileHandle> {
  try {
    return await open(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o666)
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error
    return open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  }
}
