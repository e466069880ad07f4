/** Remembers the last `size` values under their keys; older ones are forgotten. */
export interface Recent<T> {
  get(key: string): T | undefined
  set(key: string, value: T): void
  delete(key: string): void
}

export function createRecent<T>(size: number): Recent<T> {
  const values = new Map<string, T>()
  return {
    get: (key) => values.get(key),
    set(key, value): void {
      values.delete(key)
      values.set(key, value)
      if (values.size > size) for (const oldest of values.keys()) return void values.delete(oldest)
    },
    delete: (key) => void values.delete(key),
  }
}
