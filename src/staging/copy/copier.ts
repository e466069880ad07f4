import { createTaskPool } from '../../lib/task-pool.js'
import { TransferError } from '../transfer-error.js'
import { copyTasks } from './copy-tasks.js'

const workerFile = import.meta.url.endsWith('.ts') ? './copy-worker.ts' : './copy-worker.js'

/** Every task of copyTasks, run in threads that nothing else waits for. */
export const copier = createTaskPool(new URL(workerFile, import.meta.url), copyTasks)

/** Below this, asking whether blocks can be shared costs more than copying. */
const CLONE_FROM_BYTES = 256 * 1024
/** What a copy leaves free for others. */
const SPARE_BYTES = 16 * 1024 * 1024

export interface CopyRequest {
  readonly from: number
  readonly to: number
  /** Bytes that `to` has already. */
  readonly start: number
  readonly size: number
  /** Left on the file system of `to`. */
  readonly freeBytes: number
  /** For messages: where `to` is. */
  readonly place: string
  readonly signal: AbortSignal
  progress(bytes: number): void
  /** What is thrown for a system error of `from`, and of `to`. */
  readError(error: unknown): unknown
  writeError(error: unknown): unknown
}

/**
 * Copies the rest of one open file to another, at once where their file system can share blocks. Other bytes of `to` than these are
 * gone afterwards.
 * @throws TransferError when there is no room, or `from` is shorter than `size`; the signal's reason; what readError and writeError
 *   make of system errors
 */
export async function copyContent(request: CopyRequest): Promise<void> {
  const { from, to, start, size, signal } = request
  try {
    if (start === 0 && size >= CLONE_FROM_BYTES && (await copier.cloneFile(from, to))) {
      await copier.truncate(to, size)
      request.progress(size)
      return
    }
    if (size - start + SPARE_BYTES > request.freeBytes) throw noRoom(request)
    await copier.truncate(to, start)
  } catch (error) {
    throw request.writeError(error)
  }
  for (let at = start; at < size; ) {
    signal.throwIfAborted()
    const piece = await copier.copyPiece(from, to, at, size).catch((error: unknown) => {
      throw request.readError(error)
    })
    if (piece.writeError) {
      const { errno, message } = piece.writeError
      throw request.writeError(Object.assign(new Error(message), { code: errno }))
    }
    if (piece.bytes === 0)
      throw new TransferError(`the file has become shorter: it had ${size} bytes and now has ${at}`, {
        transient: true,
      })
    at += piece.bytes
    request.progress(piece.bytes)
  }
}

function noRoom({ size, start, freeBytes, place }: CopyRequest): TransferError {
  const mib = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MiB`
  return new TransferError(
    `${mib(size - start)} are to be written, and ${place} has ${mib(freeBytes)} left`,
    {
      transient: true,
    },
  )
}
