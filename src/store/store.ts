/** One change of a Store. */
export type StoreChange =
  | { readonly type: 'put'; readonly key: string; readonly value: unknown }
  | { readonly type: 'del'; readonly key: string }

/** Durable state: what must survive a power cut. One key space, JSON values. */
export interface Store {
  get<T>(key: string): Promise<T | undefined>
  /** All entries whose key begins with `prefix`, in key order. */
  entries<T>(prefix: string): AsyncIterable<readonly [key: string, value: T]>
  /**
   * Makes all changes or none. Resolves when they are on disk (one sync for all writes that wait); with `lazy`, when the
   * operating system has them, which survives the death of this process but not a power cut.
   */
  write(changes: readonly StoreChange[], options?: { lazy?: boolean }): Promise<void>
  close(): Promise<void>
}
