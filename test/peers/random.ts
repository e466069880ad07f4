export interface Random {
  /** A whole number below `limit`. */
  below(limit: number): number
  chance(part: number): boolean
  pick<T>(items: readonly T[]): T
  /** Up to `most`, each perhaps several times. */
  some<T>(items: readonly T[], most: number): T[]
}

/** mulberry32: the same numbers from the same seed. */
export function createRandom(seed: number): Random {
  let state = seed
  function next(): number {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const pick = <T>(items: readonly T[]): T => {
    const item = items[below(items.length)]
    if (item === undefined) throw new Error('there is nothing to pick from')
    return item
  }
  return {
    below,
    chance: (part) => next() < part,
    pick,
    some: (items, most) => Array.from({ length: below(most + 1) }, () => pick(items)),
  }
}
