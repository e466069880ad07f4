import type { Readable } from 'node:stream'
import { countBodyBytes } from '../../lib/minor-gc.js'
import { SHARED_BUFFER_BYTES, takeSharedBuffer } from '../../lib/shared-buffer.js'
import { isOverwritten } from './large-reads.js'

/** Bodies up to this size are collected and stored by one task of the disk. */
export const SMALL_BODY_BYTES = SHARED_BUFFER_BYTES
/** Up to here a copy of its own costs less than memory that is shared. */
const COPIED_BYTES = 64 * 1024

/** A body that ended early; its cause says why. */
export class BodyCut extends Error {
  /** What had arrived, which is right. */
  readonly received: Uint8Array
  constructor(cause: unknown, received: Uint8Array) {
    super('a body ended early', { cause })
    this.received = received
  }
}

/**
 * The whole body, which announced `bytes`, at most SMALL_BODY_BYTES. To be given back (lib/shared-buffer) when it is stored.
 * @throws BodyCut
 */
export function readSmallBody(body: Readable, bytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const content = bytes > COPIED_BYTES ? takeSharedBuffer(bytes) : new Uint8Array(bytes)
    let have = 0
    const fail = (): void => {
      const cause = body.errored ?? new Error(`the body ended after ${have} of ${bytes} bytes`)
      reject(new BodyCut(cause, content.subarray(0, Math.min(have, bytes))))
    }
    body.on('error', () => {})
    if (body.destroyed) return fail()
    body.on('data', (chunk: Buffer) => {
      if (isOverwritten(chunk)) {
        body.destroy(new Error('the memory of a chunk was used twice'))
        return
      }
      // More than was announced: the count is wrong then.
      content.set(chunk.subarray(0, Math.max(0, bytes - have)), Math.min(have, bytes))
      have += chunk.length
      countBodyBytes(chunk.length)
    })
    body.on('end', () => {
      body.off('close', fail)
      if (have === bytes) resolve(content)
      else fail()
    })
    body.on('close', fail)
  })
}
