import { logKey, type StoreChange } from './store.js'

/** A change with its key. */
export type KeyedChange = Exclude<StoreChange, { readonly type: 'append' }>

/** Gives the entries of logs their numbers; for one write at a time. */
export interface LogNumbers {
  /** @returns the changes with their keys, and what to call when writing them failed: perhaps they were written all the same */
  key(changes: readonly StoreChange[]): Promise<{ readonly keyed: KeyedChange[]; forget(): void }>
  /** The number of the last entry of a log; 0: it has none. */
  last(log: string): Promise<number>
}

/** @param lastOf reads the number of the last entry of a log; 0: it has none */
export function createLogNumbers(lastOf: (log: string) => Promise<number>): LogNumbers {
  const last = new Map<string, number>()
  const lastNumber = async (log: string): Promise<number> => last.get(log) ?? (await lastOf(log))
  return {
    last: lastNumber,
    async key(changes) {
      const logs = new Set<string>()
      const keyed: KeyedChange[] = []
      for (const change of changes) {
        if (change.type !== 'append') {
          keyed.push(change)
          continue
        }
        const { log, value } = change
        const number = await lastNumber(log)
        logs.add(log)
        last.set(log, number + 1)
        keyed.push({ type: 'put', key: logKey(log, number + 1), value })
      }
      const forget = (): void => {
        for (const log of logs) last.delete(log)
      }
      return { keyed, forget }
    },
  }
}
