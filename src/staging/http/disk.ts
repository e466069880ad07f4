import fs from 'node:fs'
import { promisify } from 'node:util'
import type { NewFile } from '../../lib/confined-file.js'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { createTaskPool } from '../../lib/task-pool.js'
import { TransferError } from '../transfer-error.js'
import { diskTasks } from './disk-tasks.js'

/** The disk, as seen from the server's own thread. */
const workerFile = import.meta.url.endsWith('.ts') ? './staging-worker.ts' : './staging-worker.js'

export const disk = createTaskPool(new URL(workerFile, import.meta.url), diskTasks)

// In Node's own threads, side by side: the file system writes many of them in one go, one worker would queue them.
const fsync = promisify(fs.fsync)
const close = promisify(fs.close)

/**
 * Puts what was written to a file on disk. On failure the file is discarded: the kernel may have dropped any of it.
 * @throws TransferError
 */
export async function syncFile(file: NewFile): Promise<void> {
  try {
    await fsync(file.fd)
  } catch (error) {
    await disk.discardNewFile(file)
    throw diskError(error)
  }
}

/**
 * Gives a synced file its name; both survive a power cut afterwards. On failure nothing is left.
 * @throws TransferError
 */
export async function commitSynced(file: NewFile): Promise<void> {
  try {
    const directory = await disk.nameFile(file)
    try {
      await fsync(directory)
    } finally {
      await close(directory)
    }
  } catch (error) {
    throw diskError(error)
  }
}

/** What may pass: a disk that is full, a file server that is away, too many open files. */
const TRANSIENT_ERRNOS: ReadonlySet<string> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EIO',
  'ESTALE',
  'ETIMEDOUT',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EAGAIN',
])

/** The TransferError for a failed operation on a local file; errors that are none of the disk's stay as they are. */
export function diskError(error: unknown): unknown {
  if (error instanceof TransferError) return error
  if (error instanceof MagnetarError) {
    return new TransferError(error.message, { transient: error.code === 'DISK_FULL', cause: error })
  }
  const errno = errnoOf(error)
  if (errno === undefined) return error
  const full = errno === 'ENOSPC' || errno === 'EDQUOT'
  const message = full
    ? `no space left on the disk that holds the job directories (${errno})`
    : `the disk that holds the job directories failed: ${messageOf(error)}`
  return new TransferError(message, { transient: TRANSIENT_ERRNOS.has(errno), cause: error })
}
