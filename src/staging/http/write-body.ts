import fs from 'node:fs'
import { PIECE_BYTES, writeAll } from '../../lib/write-all.js'
import type { HttpAnswer } from '../http-client.js'
import { takeBody } from './take-body.js'

/** Measured: while one block is written, others are filled. */
const BLOCK_BYTES = PIECE_BYTES
const MAX_BLOCKS = 3
/** That many wait to be written, and no more is read. */
const MAX_FULL = MAX_BLOCKS - 1
/** So much is put on disk while more is arriving, or the end of a large file would wait for all of it. */
const SYNC_BYTES = 64 * 1024 * 1024

export interface WriteOptions {
  /** Where in the file the body begins. */
  readonly position: number
  /** What the file has there already: these bytes are compared, not written. At most a block. */
  readonly expected?: Uint8Array | undefined
  /** More than this is too much. */
  readonly maxBytes: number
  progress(bytes: number): void
}

/** `whole`: all of the body is in the file. The other two stopped it early. */
export type WriteOutcome = 'whole' | 'different' | 'too long'

/** Memory that is filled from its beginning; what stands before `from` is in the file. */
interface Block {
  readonly memory: Buffer
  from: number
  filled: number
}

const spare: Buffer[] = []
const MAX_SPARE = 8

/**
 * Writes a body to a file; `outcome` and the bytes of the body that were compared or written. No write is in flight any more when
 * it resolves or rejects, and the body is read to its end or destroyed.
 * @throws BodyWriteError with how much was written before; its cause is the error of the body or of the disk
 */
export function writeBody(
  answer: Pick<HttpAnswer, 'body' | 'direct'>,
  fd: number,
  options: WriteOptions,
): Promise<{ outcome: WriteOutcome; bytes: number }> {
  return new Promise((resolve, reject) => {
    let expected = options.expected ?? new Uint8Array(0)
    /** The one that is being filled, and those that wait to be written or are being written. */
    let open: Block | undefined
    const full: Block[] = []
    /** Of the body: taken from it, and safely in the file. */
    let taken = 0
    let written = 0
    let unsynced = 0
    let writing = false
    let syncing = false
    let isLost = false
    let outcome: WriteOutcome | undefined
    let failure: { readonly error: unknown; readonly ofDisk: boolean } | undefined

    const settle = (): void => {
      if (failure) reject(new BodyWriteError(failure.error, failure.ofDisk, isLost ? undefined : written))
      else resolve({ outcome: outcome ?? 'whole', bytes: written })
    }
    const stop = (): void => {
      control.stop()
      for (const { memory } of writing ? full.splice(1) : full.splice(0)) giveBack(memory)
      dropOpen()
      flush()
    }
    const dropOpen = (): void => {
      if (open) giveBack(open.memory)
      open = undefined
    }
    const closeOpen = (): void => {
      if (open && open.filled > open.from) full.push(open)
      else dropOpen()
      open = undefined
    }
    const flush = (): void => {
      if (writing) return
      const block = full[0]
      if (!block) {
        if (!syncing && (failure || outcome)) settle()
        return
      }
      const size = block.filled - block.from
      const content = block.memory.subarray(block.from, block.filled)
      writing = true
      writeAll(fd, [content], size, options.position + written, (error) => {
        writing = false
        full.shift()
        giveBack(block.memory)
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
        control.resume()
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
    const compare = (block: Block): void => {
      const here = Math.min(expected.length, block.filled - block.from)
      if (block.memory.compare(expected, 0, here, block.from, block.from + here) !== 0) {
        outcome = 'different'
        stop()
        return
      }
      expected = expected.subarray(here)
      written += here
      block.from += here
    }
    const control = takeBody(answer, {
      room() {
        if (!open && full.length <= MAX_FULL)
          open = { memory: spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES), from: 0, filled: 0 }
        return open?.memory.subarray(open.filled)
      },
      isFull: () => full.length >= MAX_FULL,
      filled(bytes) {
        if (!open) return
        open.filled += bytes
        taken += bytes
        if (taken > options.maxBytes) {
          outcome = 'too long'
          stop()
          return
        }
        if (expected.length > 0) compare(open)
        if (open?.filled !== open?.memory.length) return
        closeOpen()
        flush()
      },
      end(error) {
        // What has arrived is right and is still written: the next attempt need not ask for it again.
        if (error) failure ??= { error, ofDisk: false }
        else outcome ??= 'whole'
        closeOpen()
        flush()
      },
    })
  })
}

function giveBack(memory: Buffer): void {
  if (spare.length < MAX_SPARE) spare.push(memory)
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
