import { join } from 'node:path'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { type FileLock, LockBusy, lockFile } from '../../lib/file-lock.js'
import { makeDirectories } from '../../lib/fs.js'
import type { Logger } from '../../lib/log.js'
import { dropStaleNotes, isThere, notesDirectory } from './environment.js'

/** For what other processes make before it. */
const LOCK_TIMEOUT_MS = 2 * 3600_000
/** At a start nothing is waited for: whoever has the lock has tidied. */
const START_TIMEOUT_MS = 2000

/** The file whose lock is that of the prefix. */
export function lockOf(prefix: string): string {
  return join(notesDirectory(prefix), 'lock')
}

/**
 * The lock that whoever changes environments of the prefix holds.
 * @returns undefined: there are no such locks on this file system; then the processes of several nodes are not kept apart
 * @throws MagnetarError CONDA_FAILED; the signal's reason
 */
export async function lockPrefix(
  prefix: string,
  name: string,
  log: Logger,
  signal: AbortSignal,
): Promise<FileLock | undefined> {
  try {
    await makeDirectories(notesDirectory(prefix))
    const lock = await lockFile(lockOf(prefix), { timeoutMs: LOCK_TIMEOUT_MS, signal })
    await tidy(prefix).catch((error: unknown) => log.warn(messageOf(error)))
    return lock
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LockBusy)
      throw new MagnetarError(
        'CONDA_FAILED',
        `the conda environment ${name} was not made: ${messageOf(error)}`,
        {
          fix: `"fuser -v ${lockOf(prefix)}" shows who has it.`,
        },
      )
    if (errnoOf(error) !== undefined) {
      const why = errnoOf(error) === 'ENOSPC' ? 'the disk is full' : messageOf(error)
      throw new MagnetarError('CONDA_FAILED', `the conda environment ${name} cannot be made: ${why}`, {
        fix: `The user of the server must be able to write to ${prefix}.`,
        cause: error,
      })
    }
    log.warn(`conda environments are made without a lock against other processes: ${messageOf(error)}`)
    return undefined
  }
}

/** At the start of a server: what killed processes left is put in order, unless one is at work now. */
export async function tidyAtStart(prefix: string, log: Logger, signal: AbortSignal): Promise<void> {
  if (!(await isThere(lockOf(prefix)))) return
  try {
    const lock = await lockFile(lockOf(prefix), { timeoutMs: START_TIMEOUT_MS, signal })
    await tidy(prefix).finally(() => lock.release())
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof LockBusy)) log.debug(messageOf(error))
  }
}

/** Call with the lock. */
export async function tidy(prefix: string): Promise<void> {
  await dropStaleNotes(prefix)
}
