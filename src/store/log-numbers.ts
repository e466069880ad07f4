import { logKey, type StoreChange } from './store.js'

/** A change with its key. */
export type KeyedChange = Exclude<StoreChange, { readonly type: 'append' }>

/** Gives the entries of logs their numbers; for one write at a time. */
export interface LogNumbers {
  /** @returns the changes with their keys, and what to call when they could not be written */
  key(changes: readonly StoreChange[]): Promise<{ readonly keyed: KeyedChange[]; takeBack(): void }>
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
      const takeBack = (): void => {
        for (const [log, number] of before) last.set(log, number)
      }
      return { keyed, takeBack }
    },
  }
}
