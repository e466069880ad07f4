import { createHash } from 'node:crypto'

/** What a file holds: of any size, without being held in memory. */
export interface Content {
  readonly bytes: number
  read(start: number, end: number): Buffer
}

export function contentOf(data: string | Buffer): Content {
  const buffer = Buffer.from(data)
  return { bytes: buffer.length, read: (start, end) => buffer.subarray(start, end) }
}

const BLOCK = 1 << 20
const blocks = new Map<number, Buffer>()

/** `bytes` bytes that look random, the same for the same `seed`, and never the same in two places nearby. */
export function generated(bytes: number, seed: number): Content {
  const block = blocks.get(seed % 8) ?? randomBlock(seed % 8)
  blocks.set(seed % 8, block)
  return {
    bytes,
    read(start, end) {
      const part = Buffer.allocUnsafe(Math.max(0, Math.min(end, bytes) - start))
      for (let at = 0; at < part.length; ) {
        const position = start + at
        const from = (position + Math.floor(position / BLOCK) * 4099 + seed * 7919) % BLOCK
        // Up to where the block or the rule for its beginning changes.
        const count = Math.min(part.length - at, BLOCK - from, BLOCK - (position % BLOCK))
        block.copy(part, at, from, from + count)
        at += count
      }
      return part
    },
  }
}

function randomBlock(seed: number): Buffer {
  const random = createRandom(seed + 1)
  const block = Buffer.allocUnsafe(BLOCK)
  for (let at = 0; at < BLOCK; at += 4) block.writeUInt32LE(Math.floor(random() * 0x100000000), at)
  return block
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000
  }
}

export function sha256Of(content: Content): string {
  const hash = createHash('sha256')
  for (let at = 0; at < content.bytes; at += BLOCK) hash.update(content.read(at, at + BLOCK))
  return hash.digest('hex')
}
