import { logKey, type Store } from './store.js'

/**
 * A Store that forgets everything when the process ends: for `persistence_directory: __none__`.
 * @param keepsLogs false: what is appended to logs is forgotten at once, where nobody will ever read them
 */
export function openMemoryStore({ keepsLogs = true }: { readonly keepsLogs?: boolean } = {}): Store {
  const values = new Map<string, string>()
  const last = new Map<string, number>()
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
        if (change.type === 'append') {
          const number = (last.get(change.log) ?? 0) + 1
          last.set(change.log, number)
          if (keepsLogs) values.set(logKey(change.log, number), JSON.stringify(change.value))
          continue
        }
        if (change.type === 'put') values.set(change.key, JSON.stringify(change.value))
        else values.delete(change.key)
      }
    },
    lastNumber: async (log) => last.get(log) ?? 0,
    async close(): Promise<void> {
      values.clear()
    },
  }
}
