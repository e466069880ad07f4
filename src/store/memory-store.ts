import type { Store } from './store.js'

/** A Store that forgets everything when the process ends: for `persistence_directory: __none__`. */
export function openMemoryStore(): Store {
  const values = new Map<string, string>()
  return {
    async get<T>(key: string): Promise<T | undefined> {
      const text = values.get(key)
      return text === undefined ? undefined : (JSON.parse(text) as T)
    },
    async *entries<T>(prefix: string): AsyncIterable<readonly [string, T]> {
      for (const key of [...values.keys()].filter((each) => each.startsWith(prefix)).sort()) {
        const text = values.get(key)
        if (text !== undefined) yield [key, JSON.parse(text) as T]
      }
    },
    async write(changes): Promise<void> {
      for (const change of changes) {
        if (change.type === 'put') values.set(change.key, JSON.stringify(change.value))
        else values.delete(change.key)
      }
    },
    async close(): Promise<void> {
      values.clear()
    },
  }
}
