/** Durable state: what must survive a power cut. One key space, JSON values. */
export interface Store {
  get<T>(key: string): Promise<T | undefined>
  /** All entries whose key begins with `prefix`, in key order. */
  entries<T>(prefix: string): AsyncIterable<readonly [key: string, value: T]>
  /** Resolves when the value is on disk (batched with others that are waiting); with `lazy`, when it is handed to the OS. */
  put(key: string, value: unknown, options?: { lazy?: boolean }): Promise<void>
  delete(key: string, options?: { lazy?: boolean }): Promise<void>
  close(): Promise<void>
}
