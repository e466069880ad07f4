import { untilAborted } from '../lib/until-aborted.js'

/** Work that several callers want at the same time and that is done once for all of them. */
export interface SharedWork<T> {
  /**
   * What the work under way gives, or that of a new one. A caller whose signal aborts leaves; the work is aborted when nobody waits for it
   * any more. @throws what the work throws; the signal's reason
   */
  get(signal: AbortSignal): Promise<T>
}

export function createSharedWork<T>(work: (signal: AbortSignal) => Promise<T>): SharedWork<T> {
  let underWay: { readonly result: Promise<T>; readonly ending: AbortController; waiting: number } | undefined
  return {
    async get(signal) {
      signal.throwIfAborted()
      if (!underWay) {
        const ending = new AbortController()
        const result = work(ending.signal)
        const mine = { result, ending, waiting: 0 }
        underWay = mine
        const forget = (): void => {
          if (underWay === mine) underWay = undefined
        }
        result.then(forget, forget)
      }
      const joined = underWay
      joined.waiting++
      try {
        return await untilAborted(joined.result, signal)
      } finally {
        joined.waiting--
        if (joined.waiting === 0) {
          // Whoever comes now must not join what is being ended.
          if (underWay === joined) underWay = undefined
          joined.ending.abort(new Error('nobody waits for it any more'))
        }
      }
    },
  }
}
