import fs from 'node:fs'
import type { Readable } from 'node:stream'
import { countBodyBytes } from '../../lib/minor-gc.js'
import { writeAll } from '../../lib/write-all.js'
import { isOverwritten } from './large-reads.js'

// As for uploads to this node (http/body.ts): batches of 256 to 512 KiB, one write in flight.
const BATCH_BYTES = 256 * 1024
const MAX_QUEUED_BYTES = 512 * 1024
/** So much is put on disk while more is arriving, or the end of a large file would wait for all of it. */
const SYNC_BYTES = 64 * 1024 * 1024
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
    let unsynced = 0
    let writing = false
    let syncing = false
    let isLost = false
    let paused = false
    let outcome: WriteOutcome | undefined
    let failure: { readonly error: unknown; readonly ofDisk: boolean } | undefined

    const settle = (): void => {
      body.off('data', onData).off('end', onEnd).off('close', onClose)
      if (failure) reject(new BodyWriteError(failure.error, failure.ofDisk, isLost ? undefined : written))
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
        if (!syncing && (failure || outcome)) settle()
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
        unsynced += size
        options.progress(size)
        if (unsynced >= SYNC_BYTES) syncSome()
        flush()
      })
    }
    // An error is told only once, so it must not be lost: the file may lack what the kernel could not write.
    const syncSome = (): void => {
      if (syncing) return
      syncing = true
      unsynced = 0
      fs.fdatasync(fd, (error) => {
        syncing = false
        if (!error) return flush()
        failure = { error, ofDisk: true }
        isLost = true
        stop()
      })
    }
    const onData = (chunk: Buffer): void => {
      if (outcome || failure) return
      if (isOverwritten(chunk)) {
        body.destroy(new Error('the memory of a chunk was used twice'))
        return
      }
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
  /** undefined: nobody knows, and nothing that is in the file can be relied on. */
  readonly writtenBytes: number | undefined
  constructor(cause: unknown, ofDisk: boolean, writtenBytes: number | undefined) {
    super('a body was not written to its end', { cause })
    this.ofDisk = ofDisk
    this.writtenBytes = writtenBytes
  }
}
