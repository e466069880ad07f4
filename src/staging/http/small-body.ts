import { SHARED_BUFFER_BYTES, takeSharedBuffer } from '../../lib/shared-buffer.js'
import type { HttpAnswer } from '../http-client.js'
import { takeBody } from './take-body.js'

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
export function readSmallBody(
  answer: Pick<HttpAnswer, 'body' | 'direct'>,
  bytes: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const content = bytes > COPIED_BYTES ? takeSharedBuffer(bytes) : new Uint8Array(bytes)
    /** Of more than was announced: the count is wrong then. */
    const surplus = new Uint8Array(1)
    let have = 0
    takeBody(answer, {
      room: () => (have < bytes ? content.subarray(have) : surplus),
      filled(count) {
        have += count
      },
      end(error) {
        if (!error && have === bytes) return resolve(content)
        const cause = error ?? new Error(`the body ended after ${have} of ${bytes} bytes`)
        reject(new BodyCut(cause, content.subarray(0, Math.min(have, bytes))))
      },
    })
  })
}
