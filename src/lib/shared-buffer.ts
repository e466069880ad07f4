/**
 * Memory that worker threads see without a copy, for one file of at most 1 MiB at a time. It is used again: V8 counts memory that
 * is thrown away, and collects the whole heap for it every dozen files.
 */
export const SHARED_BUFFER_BYTES = 1024 * 1024
/** What is kept for the next; more is taken when more files travel at once. */
const MAX_IDLE = 8

const idle: SharedArrayBuffer[] = []

/** Room for `bytes` bytes, at most SHARED_BUFFER_BYTES; it holds anything. */
export function takeSharedBuffer(bytes: number): Uint8Array {
  if (bytes > SHARED_BUFFER_BYTES) throw new RangeError(`${bytes} bytes are too many for a shared buffer`)
  return new Uint8Array(idle.pop() ?? new SharedArrayBuffer(SHARED_BUFFER_BYTES), 0, bytes)
}

/** For what takeSharedBuffer gave, once nobody reads or writes it any more; other memory is left alone. */
export function giveBackBuffer({ buffer }: Uint8Array): void {
  if (buffer instanceof SharedArrayBuffer && idle.length < MAX_IDLE && !idle.includes(buffer))
    idle.push(buffer)
}
