import { logKey, type StoreChange } from './store.js'

/** A change with its key. */
export type KeyedChange = Exclude<StoreChange, { readonly type: 'append' }>

/** Gives the entries of logs their numbers; for one write at a time. */
export interface LogNumbers {
  /** @returns the changes with their keys, and what to call when writing them failed: perhaps they were written all the same, and the next write takes their numbers */
  key(changes: readonly StoreChange[]): Promise<{ readonly keyed: KeyedChange[]; forget(): void }>
  /** The number of the last entry of a log; 0: it has none. */
  last(log: string): Promise<number>
}

/** @param lastOf reads the number of the last entry of a log; 0: it has none */
export function createLogNumbers(lastOf: (log: string) => Promise<number>): LogNumbers {
  const last = new Map<string, number>()
  /** Up to which number of a log a write that failed may have left entries. */
  const doubtful = new Map<string, number>()
  const lastNumber = async (log: string): Promise<number> => last.get(log) ?? (await lastOf(log))
  const doubt = (log: string, number: number): void => {
    doubtful.set(log, Math.max(number, doubtful.get(log) ?? 0))
  }
  return {
    last: lastNumber,
    async key(changes) {
      const before = new Map<string, number>()
      const keyed: KeyedChange[] = []
      for (const change of changes) {
        if (change.type !== 'append') {
          keyed.push(change)
          continue
        }
        const { log, value } = change
        const number = await lastNumber(log)
        if (!before.has(log)) before.set(log, number)
        last.set(log, number + 1)
        keyed.push({ type: 'put', key: logKey(log, number + 1), value })
      }
      const removed = [...doubtful]
      doubtful.clear()
      for (const [log, end] of removed) {
        for (let number = (last.get(log) ?? 0) + 1; number <= end; number++)
          keyed.push({ type: 'del', key: logKey(log, number) })
      }
      const forget = (): void => {
        for (const [log, end] of removed) doubt(log, end)
        for (const [log, number] of before) {
          doubt(log, last.get(log) ?? number)
          last.set(log, number)
        }
      }
      return { keyed, forget }
    },
  }
}
