/** Runs tasks of one key after another, tasks of different keys side by side. */
export interface KeyedLock {
  run<T>(key: string, task: () => Promise<T>): Promise<T>
}

export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<unknown>>()
  return {
    async run<T>(key: string, task: () => Promise<T>): Promise<T> {
      const before = tails.get(key)
      const mine = before ? before.then(task, task) : task()
      tails.set(key, mine)
      try {
        return await mine
      } finally {
        if (tails.get(key) === mine) tails.delete(key)
      }
    },
  }
}
