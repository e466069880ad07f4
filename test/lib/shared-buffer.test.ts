import { describe, expect, it } from 'vitest'
import { giveBackBuffer, SHARED_BUFFER_BYTES, takeSharedBuffer } from '../../src/lib/shared-buffer.js'

describe('shared buffers', () => {
  it('have the size that was asked for and memory that threads share', () => {
    const room = takeSharedBuffer(70_000)
    expect(room).toHaveLength(70_000)
    expect(room.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(() => takeSharedBuffer(SHARED_BUFFER_BYTES + 1)).toThrow(RangeError)
  })

  it('are used again after they were given back, and never by two at once', () => {
    const first = takeSharedBuffer(1)
    const second = takeSharedBuffer(1)
    expect(second.buffer).not.toBe(first.buffer)
    giveBackBuffer(first)
    giveBackBuffer(first.subarray(0, 0))
    const third = takeSharedBuffer(2)
    expect(third.buffer).toBe(first.buffer)
    expect(takeSharedBuffer(1).buffer).not.toBe(first.buffer)
  })

  it('leave other memory alone', () => {
    const own = new Uint8Array(10)
    giveBackBuffer(own)
    expect(takeSharedBuffer(1).buffer).not.toBe(own.buffer)
  })
})
