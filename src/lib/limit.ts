/** Runs what it is given, at most `width` at a time, first come first served. */
export function createLimit(width: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (task) => {
    if (running >= width) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      // The place is handed on, not given back: a newcomer cannot slip in between.
      if (next) next()
      else running--
    }
  }
}
