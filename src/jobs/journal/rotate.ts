import { messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { logNumber, type Store, type StoreChange } from '../../store/store.js'
import { JOURNAL, type JournalEvent, ROTATED_KEY, type Rotated } from './event.js'

/** What the journal keeps. */
export interface JournalLimits {
  /** Milliseconds. */
  readonly keepMs: number
  readonly events: number
}

const EVERY_MS = 600_000
const FIRST_MS = 30_000
const AT_ONCE = 1000

/** Takes the oldest events away: what is too old, and what is too many. @returns how many went */
export async function rotateJournal(
  store: Store,
  { keepMs, events }: JournalLimits,
  nowMs = Date.now(),
): Promise<number> {
  const lastToGo = (await store.lastNumber(JOURNAL)) - events
  let removed = 0
  let changes: StoreChange[] = []
  let below = 0
  const flush = async (): Promise<void> => {
    if (changes.length === 0) return
    const rotated: Rotated = { below }
    await store.write([...changes, { type: 'put', key: ROTATED_KEY, value: rotated }], { lazy: true })
    removed += changes.length
    changes = []
  }
  for await (const [key, { atMs }] of store.entries<JournalEvent>(`${JOURNAL}/`)) {
    const number = logNumber(key)
    if (number > lastToGo && atMs >= nowMs - keepMs) break
    changes.push({ type: 'del', key })
    below = number + 1
    if (changes.length >= AT_ONCE) await flush()
  }
  await flush()
  return removed
}

/**
 * Has the server rotate its journal every ten minutes, and when that is stopped: one that fails at each start never comes to the first.
 * Returns how to stop it.
 */
export function startRotation(store: Store, limits: JournalLimits, log: Logger): () => Promise<void> {
  let timer: NodeJS.Timeout
  let turn = Promise.resolve()
  const later = (ms: number): void => {
    timer = setTimeout(() => {
      turn = rotateJournal(store, limits).then(
        () => later(EVERY_MS),
        (error: unknown) => {
          log.warn(`the journal cannot be shortened: ${messageOf(error)}`)
          later(EVERY_MS)
        },
      )
    }, ms).unref()
  }
  later(FIRST_MS)
  return async () => {
    clearTimeout(timer)
    await turn
    clearTimeout(timer)
    await rotateJournal(store, limits).catch((error: unknown) =>
      log.warn(`the journal cannot be shortened: ${messageOf(error)}`),
    )
  }
}
