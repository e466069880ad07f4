import type { Readable } from 'node:stream'
import { countBodyBytes } from '../../lib/minor-gc.js'
import type { BodyControl, BodyTaker, HttpAnswer } from '../http-client.js'
import { isOverwritten } from './direct-reads.js'

/** Hands all of an answer's body to `taker`, straight from the connection where that is possible. */
export function takeBody(
  { body, direct }: Pick<HttpAnswer, 'body' | 'direct'>,
  taker: BodyTaker,
): BodyControl {
  return direct ? direct.take(taker) : takeReadable(body, taker)
}

function takeReadable(body: Readable, taker: BodyTaker): BodyControl {
  let held: Buffer | undefined
  let isOver = false
  let isEnded = false
  let failure: Error | undefined

  function deliver(): void {
    while (held && !isOver) {
      const room = taker.room()
      if (!room) return
      const here = held.subarray(0, room.length)
      room.set(here)
      held = here.length < held.length ? held.subarray(here.length) : undefined
      taker.filled(here.length)
    }
  }
  const end = (): void => {
    if (isOver || held) return
    isOver = true
    taker.end(failure)
  }
  const onData = (chunk: Buffer): void => {
    if (isOver) return
    if (isOverwritten(chunk)) {
      body.destroy(new Error('the memory of a chunk was used twice'))
      return
    }
    countBodyBytes(chunk.length)
    held = chunk
    deliver()
    if (held || taker.isFull?.()) body.pause()
  }
  const onEnd = (): void => {
    isEnded = true
    end()
  }
  const onClose = (): void => {
    // What has arrived is right, and still taken.
    if (!isEnded) failure ??= body.errored ?? new Error('the body ended early')
    end()
  }
  // An 'error' of the body is followed by 'close'.
  body.on('error', () => {})
  if (body.destroyed) queueMicrotask(onClose)
  else body.on('data', onData).on('end', onEnd).on('close', onClose)

  return {
    resume() {
      if (isOver || taker.isFull?.()) return
      deliver()
      if (held) return
      if (failure || isEnded) end()
      else body.resume()
    },
    stop() {
      isOver = true
      held = undefined
      body.destroy()
    },
  }
}
