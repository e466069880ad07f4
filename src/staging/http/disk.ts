import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { NewFile } from '../../lib/confined-file.js'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { createLimit } from '../../lib/limit.js'
import { createTaskPool } from '../../lib/task-pool.js'
import { userName } from '../../lib/user-name.js'
import type { LocalFile } from '../action.js'
import { TransferError } from '../transfer-error.js'
import { diskTasks, type SmallFile } from './disk-tasks.js'

/** The disk, as seen from the server's own thread. */
const workerFile = import.meta.url.endsWith('.ts') ? './staging-worker.ts' : './staging-worker.js'

export const disk = createTaskPool(new URL(workerFile, import.meta.url), diskTasks)

// In Node's own threads, side by side: the file system writes many of them in one go, one worker would queue them.
const fsync = promisify(fs.fsync)
const close = promisify(fs.close)
/** Of Node's four threads one is left to others when a file system hangs. */
const syncs = createLimit(3)

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
 * Stores small files whole and durably. On failure each of them is there whole or not at all.
 * @throws the error of the first that failed, of whichever kind
 */
export async function storeFiles(files: readonly SmallFile[]): Promise<void> {
  const written = await disk.writeNewFiles(files)
  try {
    await syncAll(written.map(({ fd }) => fd))
  } catch (error) {
    await disk.discardNewFiles(written)
    throw error
  }
  const directories = await disk.nameFiles(written)
  try {
    await syncAll(directories)
  } finally {
    for (const fd of directories) fs.closeSync(fd)
  }
}

/** All of them have been tried when it resolves or rejects. */
async function syncAll(descriptors: readonly number[]): Promise<void> {
  const synced = await Promise.allSettled(descriptors.map((fd) => syncs(() => fsync(fd))))
  const failed = synced.find((end) => end.status === 'rejected')
  if (failed) throw failed.reason
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

/**
 * The TransferError for a failed operation on a local file; errors that are none of the disk's stay as they are.
 * @param file which one, and what was to be done with it, where that is known
 */
export function diskError(
  error: unknown,
  file?: { readonly read: LocalFile } | { readonly write: LocalFile },
): unknown {
  if (error instanceof TransferError) return error
  if (error instanceof MagnetarError) {
    return new TransferError(error.message, { transient: error.code === 'DISK_FULL', cause: error })
  }
  const errno = errnoOf(error)
  if (errno === undefined) return error
  return new TransferError(describe(errno, error, file), {
    transient: TRANSIENT_ERRNOS.has(errno),
    cause: error,
  })
}

function describe(errno: string, error: unknown, file: Parameters<typeof diskError>[1]): string {
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return `no space left on the disk that holds the job directories (${errno})`
    case 'EACCES':
    case 'EPERM':
      return `${userName()}, the user of this node, ${mayNot(file)} (${errno})`
    default:
      return `the disk that holds the job directories failed: ${withoutDescriptor(messageOf(error))}`
  }
}

function mayNot(file: Parameters<typeof diskError>[1]): string {
  if (!file) return 'has no right to the file or its directory in the job directory'
  if ('read' in file) return `may not read ${shown(file.read, 0)} in the job directory`
  return `may not write to the directory ${shown(file.write, 1)} in the job directory`
}

/** "inputs/a/b.dat", without the last `left` components. */
function shown({ base, components }: LocalFile, left: number): string {
  const kept = components.slice(0, components.length - left)
  return JSON.stringify([path.basename(base), ...kept].join('/'))
}

/** The path through which a file was reached is of no use to anybody later. */
function withoutDescriptor(message: string): string {
  return message.replaceAll(/\/proc\/self\/fd\/\d+\/?/g, '')
}
