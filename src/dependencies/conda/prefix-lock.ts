import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { type FileLock, LockBusy, lockFile } from '../../lib/file-lock.js'
import { listDirectory, makeDirectories } from '../../lib/fs.js'
import { findLockHolder } from '../../lib/lock-holder.js'
import type { Logger } from '../../lib/log.js'
import { dropStaleNotes, isThere, notesDirectory, removeTree } from './environment.js'
import { hideSecrets } from './explain-conda.js'
import { HOME_PREFIX } from './run-conda.js'

/** For what other processes make before it. */
const LOCK_TIMEOUT_MS = 2 * 3600_000
/** How long it is waited for in silence, and how often it is told then. */
const FIRST_MS = 10_000
const AGAIN_MS = 10 * 60_000
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
  firstMs = FIRST_MS,
): Promise<FileLock | undefined> {
  try {
    await makeDirectories(notesDirectory(prefix))
    const stopTelling = tellOfWaiting(prefix, log, firstMs)
    const lock = await lockFile(lockOf(prefix), { timeoutMs: LOCK_TIMEOUT_MS, signal }).finally(stopTelling)
    await tidy(prefix).catch((error: unknown) => log.warn(messageOf(error)))
    return lock
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LockBusy)
      throw new MagnetarError(
        'CONDA_FAILED',
        `the conda environment ${name} was not made: ${messageOf(error)}`,
        {
          fix: `It is held by ${await nameHolder(prefix)}; "fuser -v ${lockOf(prefix)}" shows more.`,
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

/** "process 4711 (node magnetar serve)"; of another user, or on another host, it cannot be known. */
export async function nameHolder(prefix: string): Promise<string> {
  const file = await realpath(lockOf(prefix)).catch(() => lockOf(prefix))
  const holder = await findLockHolder(file)
  if (!holder) return 'a process of another user or host'
  return `process ${holder.pid} (${hideSecrets(holder.command)})`
}

/** @returns ends it */
function tellOfWaiting(prefix: string, log: Logger, firstMs: number): () => void {
  let timer: NodeJS.Timeout | undefined
  let ended = false
  const later = (ms: number): void => {
    timer = setTimeout(async () => {
      const holder = await nameHolder(prefix)
      if (ended) return
      log.info(`waits for the lock ${lockOf(prefix)}, held by ${holder}`)
      later(AGAIN_MS)
    }, ms)
  }
  later(firstMs)
  return () => {
    ended = true
    clearTimeout(timer)
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

/** Call with the lock: the commands that have a home there hold it. */
export async function tidy(prefix: string): Promise<void> {
  await dropStaleNotes(prefix)
  for (const name of await listDirectory(notesDirectory(prefix)))
    if (name.startsWith(HOME_PREFIX)) await removeTree(join(notesDirectory(prefix), name))
}
