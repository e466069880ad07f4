import { cp, lstat, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { errnoOf, MagnetarError, messageOf } from '../lib/errors.js'
import { makeTemporary } from '../lib/make-temporary.js'
import { notPermitted } from '../lib/not-permitted.js'
import { withErrno } from '../store/level-error.js'
import { openMemoryStore } from '../store/memory-store.js'
import type { Store } from '../store/store.js'

interface Copy {
  readonly store: Store
  /** Closes the store and removes the copy. */
  release(): Promise<void>
}

/**
 * Opens a copy of the records in `persistenceDirectory`, an empty store where there are none.
 * @throws MagnetarError NOT_PERMITTED, STORE_BROKEN, COPY_FAILED, or the signal's reason
 */
export async function openCopy(persistenceDirectory: string | null, signal: AbortSignal): Promise<Copy> {
  const nothing = { store: openMemoryStore(), release: async () => {} }
  if (persistenceDirectory === null) return nothing
  const from = path.join(persistenceDirectory, 'magnetar-store')
  const found = await lstat(from).catch((error: unknown) => error)
  // A server that was never started has none.
  if (errnoOf(found) === 'ENOENT') return nothing
  if (errnoOf(found) === 'EACCES') throw await notReadable(from, persistenceDirectory, found)
  const copy = await makeTemporary('magnetar-records-').catch((error: unknown) => {
    throw copyFailed(from, tmpdir(), error)
  })
  const remove = (): Promise<void> => rm(copy, { recursive: true, force: true })
  try {
    const store = await copyAndOpen(from, path.join(copy, 'store'), signal)
    const release = async (): Promise<void> => {
      await store.close()
      await remove()
    }
    return { store, release }
  } catch (error) {
    await remove()
    signal.throwIfAborted()
    // The words of LevelDB: it writes as it opens.
    const named = withErrno(error)
    if (errnoOf(named) === 'EACCES') throw await notReadable(from, persistenceDirectory, named)
    if (error instanceof MagnetarError && named === error) throw error
    throw copyFailed(from, path.dirname(copy), named)
  }
}

async function copyAndOpen(from: string, to: string, signal: AbortSignal): Promise<Store> {
  // The user of the node could have put a link there, for root to open.
  const isPlain = async (source: string): Promise<boolean> => {
    if (signal.aborted) return false
    const found = await lstat(source)
    return found.isFile() || found.isDirectory()
  }
  await cp(from, to, { recursive: true, filter: isPlain })
  signal.throwIfAborted()
  const { openLevelStore } = await import('../store/level-store.js')
  return openLevelStore(to, from)
}

function notReadable(from: string, persistenceDirectory: string, cause: unknown): Promise<MagnetarError> {
  return notPermitted(`only the user of the node and root may read ${from}`, persistenceDirectory, { cause })
}

function copyFailed(from: string, place: string, cause: unknown): MagnetarError {
  const errno = errnoOf(cause)
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT'
  const reason = isFull ? `no space is left there (${errno})` : messageOf(cause)
  const elsewhere = 'TMPDIR=/var/tmp magnetar status'
  return new MagnetarError(
    'COPY_FAILED',
    `the server is not running, and its job records in ${from} cannot be copied to ${place} to be read: ${reason}`,
    {
      fix: isFull
        ? `Free space in ${place}, or name a directory with room for them: ${elsewhere}`
        : `Name a directory that takes them: ${elsewhere}`,
      cause,
    },
  )
}
