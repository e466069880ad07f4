import type { LocalFile } from '../action.js'
import { diskError, storeFiles } from './disk.js'
import type { SmallFile } from './disk-tasks.js'

/** So many files at most in one go, and so many goes at once: while some are synced, the next are written. */
const MAX_BATCH = 32
const MAX_BATCHES = 2
/** So much may wait for the disk while the connections it came over fetch the next files: more is no faster, and is memory. */
const MAX_HELD_BYTES = 4 * 1024 * 1024

interface Waiting {
  readonly file: SmallFile
  done(): void
  failed(error: unknown): void
}

interface Queue {
  readonly waiting: Waiting[]
  running: number
}

/** By directory, so that a file system that hangs holds up only what is for it. */
const queues = new Map<string, Queue>()
let heldBytes = 0

/** Whether a file of `bytes` bytes may wait for the disk without holding up others that could travel meanwhile. */
export function mayWait(bytes: number): boolean {
  return heldBytes + bytes <= MAX_HELD_BYTES
}

/**
 * Stores a small file whole and durably. Those that arrive while the disk is busy are stored together afterwards: waking a thread
 * and waiting for the disk cost more than all the rest.
 * @throws TransferError
 */
export function storeSmall({ base, components }: LocalFile, content: Uint8Array): Promise<void> {
  heldBytes += content.length
  return new Promise<void>((done, failed) => {
    const queue = queues.get(base) ?? { waiting: [], running: 0 }
    queues.set(base, queue)
    queue.waiting.push({ file: { base, components, content }, done, failed })
    if (queue.running < MAX_BATCHES) void work(base, queue)
  }).finally(() => {
    heldBytes -= content.length
  })
}

async function work(base: string, queue: Queue): Promise<void> {
  queue.running++
  while (queue.waiting.length > 0) await storeAll(queue.waiting.splice(0, MAX_BATCH))
  queue.running--
  if (queue.running === 0) queues.delete(base)
}

/** All of them together, or, when that fails, each for itself: only those that are to blame are told. */
async function storeAll(batch: readonly Waiting[]): Promise<void> {
  try {
    await storeFiles(batch.map(({ file }) => file))
    for (const { done } of batch) done()
    return
  } catch (error) {
    const only = batch.length === 1 ? batch[0] : undefined
    if (only) return only.failed(diskError(error, { write: only.file }))
  }
  for (const each of batch) await storeAll([each])
}
