/** One change of a Store. */
export type StoreChange =
  | { readonly type: 'put'; readonly key: string; readonly value: unknown }
  | { readonly type: 'del'; readonly key: string }
  /** The next entry of a log: its key is the log's name, a slash, and the number after the last one's. */
  | { readonly type: 'append'; readonly log: string; readonly value: unknown }

/** When a write has to be where. */
export interface WriteOptions {
  /** Resolves when the operating system has it, which survives the death of this process but not a power cut. */
  readonly lazy?: boolean
  /**
   * The same, but with the next write that somebody else makes; within `LATER_MS` if nobody does. One that fails is made again with the
   * next, so that it may be there twice.
   */
  readonly later?: boolean
}

/** The longest that a write with `later` waits for another one. */
export const LATER_MS = 100

/** Durable state: what must survive a power cut. One key space, JSON values. */
export interface Store {
  get<T>(key: string): Promise<T | undefined>
  /** All entries whose key begins with `prefix`, in key order. */
  entries<T>(prefix: string): AsyncIterable<readonly [key: string, value: T]>
  /**
   * Makes all changes or none. Resolves when they are on disk (one sync for all writes that wait), or as the options say. Entries of
   * logs get their numbers in the order in which they reach the disk: whatever is cut off, no number before another one is missing.
   */
  write(changes: readonly StoreChange[], options?: WriteOptions): Promise<void>
  /** The number of the last entry of a log that was written; 0: it has had none. */
  lastNumber(log: string): Promise<number>
  close(): Promise<void>
}

const DIGITS = 16

/** The key of an entry of a log: keys in their order are entries in theirs. */
export function logKey(log: string, number: number): string {
  return `${log}/${String(number).padStart(DIGITS, '0')}`
}

/** The number of an entry of a log. */
export function logNumber(key: string): number {
  return Number(key.slice(-DIGITS))
}
