import type { Readable } from 'node:stream'
import { countBodyBytes } from '../../lib/minor-gc.js'
import { writeAll } from '../../lib/write-all.js'

// As for uploads to this node (http/body.ts): batches of 256 to 512 KiB, one write in flight.
const BATCH_BYTES = 256 * 1024
const MAX_QUEUED_BYTES = 512 * 1024
/** Chunks in one write, at most IOV_MAX. */
const MAX_CHUNKS = 512

export interface WriteOptions {
  /** Where in the file the body begins. */
  readonly position: number
  /** What the file has there already: these bytes are compared, not written. */
  readonly expected?: Uint8Array | undefined
  /** More than this is too much. */
  readonly maxBytes: number
  progress(bytes: number): void
}

/** `whole`: all of the body is in the file. The other two stopped it early. */
export type WriteOutcome = 'whole' | 'different' | 'too long'

/**
 * Writes a body to a file; `outcome` and the bytes of the body that were compared or written. No write is in flight any more when
 * it resolves or rejects, and the body is read to its end or destroyed.
 * @throws BodyWriteError with how much was written before; its cause is the error of the body or of the disk
 */
export function writeBody(
  body: Readable,
  fd: number,
  options: WriteOptions,
): Promise<{ outcome: WriteOutcome; bytes: number }> {
  return new Promise((resolve, reject) => {
    let expected = options.expected ?? new Uint8Array(0)
    let queue: Buffer[] = []
    let queuedBytes = 0
    /** Of the body: taken from it, and safely in the file. */
    let taken = 0
    let written = 0
    let writing = false
    let paused = false
    let outcome: WriteOutcome | undefined
    let failure: { readonly error: unknown; readonly ofDisk: boolean } | undefined

    const settle = (): void => {
      body.off('data', onData).off('end', onEnd).off('close', onClose)
      if (failure) reject(new BodyWriteError(failure.error, failure.ofDisk, written))
      else resolve({ outcome: outcome ?? 'whole', bytes: written })
    }
    const stop = (): void => {
      queue = []
      queuedBytes = 0
      body.destroy()
      flush()
    }
    const flush = (): void => {
      if (writing) return
      if (queue.length === 0) {
        if (failure || outcome) settle()
        return
      }
      const batch = queue
      const size = queuedBytes
      queue = []
      queuedBytes = 0
      writing = true
      if (paused) {
        paused = false
        body.resume()
      }
      writeAll(fd, batch, size, options.position + written, (error) => {
        writing = false
        if (error) {
          failure = { error, ofDisk: true }
          stop()
          return
        }
        written += size
        options.progress(size)
        flush()
      })
    }
    const onData = (chunk: Buffer): void => {
      if (outcome || failure) return
      taken += chunk.length
      countBodyBytes(chunk.length)
      if (taken > options.maxBytes) {
        outcome = 'too long'
        stop()
        return
      }
      let rest = chunk
      if (expected.length > 0) {
        const here = Math.min(expected.length, chunk.length)
        if (chunk.compare(expected, 0, here, 0, here) !== 0) {
          outcome = 'different'
          stop()
          return
        }
        expected = expected.subarray(here)
        written += here
        rest = chunk.subarray(here)
        if (rest.length === 0) return
      }
      queue.push(rest)
      queuedBytes += rest.length
      const many = queue.length >= MAX_CHUNKS
      if (!writing) {
        if (many || queuedBytes >= BATCH_BYTES) flush()
      } else if (!paused && (many || queuedBytes >= MAX_QUEUED_BYTES)) {
        paused = true
        body.pause()
      }
    }
    const onEnd = (): void => {
      outcome ??= 'whole'
      flush()
    }
    const onClose = (): void => {
      if (outcome) return
      // What has arrived is right and is still written: the next attempt need not ask for it again.
      failure ??= { error: body.errored ?? new Error('the body ended early'), ofDisk: false }
      flush()
    }
    // An 'error' of the body is followed by 'close'.
    body.on('error', () => {})
    if (body.destroyed) return onClose()
    body.on('data', onData).on('end', onEnd).on('close', onClose)
  })
}

export class BodyWriteError extends Error {
  /** Whose error the cause is. */
  readonly ofDisk: boolean
  readonly writtenBytes: number
  constructor(cause: unknown, ofDisk: boolean, writtenBytes: number) {
    super('a body was not written to its end', { cause })
    this.ofDisk = ofDisk
    this.writtenBytes = writtenBytes
  }
}
