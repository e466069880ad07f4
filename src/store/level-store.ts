import { readdirSync } from 'node:fs'
import path from 'node:path'
import { ClassicLevel } from 'classic-level'
import { syncDirectory } from '../lib/atomic-file.js'
import { makePrivateDirectory } from '../lib/private-file.js'
import { type Database, openCarefully } from './careful-open.js'
import { openError } from './level-error.js'
import { watchHealth } from './level-health.js'
import { createLogNumbers } from './log-numbers.js'
import { makeLevelStore } from './make-level-store.js'
import { mergeSmallFiles } from './merge-files.js'
import { LATER_MS, logNumber, type Store, type StoreChange, type WriteOptions } from './store.js'

interface Waiting {
  readonly changes: readonly StoreChange[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
  readonly canWait: boolean
}

/** Writes with `later` that are kept while a disk takes nothing. */
const MOST_KEPT = 10_000

/**
 * A Store in a LevelDB directory, made when missing. One process at a time may have it open. Only its user can look into it: in the
 * notes of uploads there are addresses with the keys of jobs.
 * Writes that arrive while a batch is under way go into the next one: one fsync for all of them.
 * A write that failed may have been made all the same: whoever asked for it asks again, or does without.
 * Errors call it `name`.
 * @throws MagnetarError STORE_LOCKED when another server has it, STORE_BROKEN when it cannot be opened.
 */
export async function openLevelStore(directory: string, name = directory): Promise<Store> {
  let db: Database
  try {
    await makeLevelStore(directory)
    makePrivateDirectory(directory)
    syncDirectory(path.dirname(directory))
    // One that is there is never begun anew because it could not be seen for a moment.
    const createIfMissing = readdirSync(directory).length === 0
    // It begins to open itself after this turn.
    db = new ClassicLevel<string, unknown>(directory, { valueEncoding: 'json', createIfMissing })
    await openCarefully(db)
    const opened = db
    await mergeSmallFiles(opened).catch(async () => {
      // A full disk, for one: LevelDB takes no writes then, and what is there serves as it is.
      await opened.close()
      await openCarefully(opened)
    })
  } catch (error) {
    throw openError({ location: directory, name }, error)
  }
  const health = watchHealth(db, name)

  const numbers = createLogNumbers((log) =>
    health.read(async () => {
      for await (const key of db.keys({ gte: `${log}/`, lt: `${log}/\uffff`, reverse: true, limit: 1 }))
        return logNumber(key)
      return 0
    }),
  )
  const synced: Waiting[] = []
  const lazy: Waiting[] = []
  const later: Waiting[] = []
  let writing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  /** One batch after the other, so that the entries of logs reach the disk in the order of their numbers. */
  async function writeAll(): Promise<void> {
    for (;;) {
      // Those that need no sync wait for none but that under way.
      if (lazy.length > 0) await writeBatch([...later.splice(0), ...lazy.splice(0)], false)
      else if (synced.length > 0) await writeBatch([...later.splice(0), ...synced.splice(0)], true)
      else break
    }
    writing = undefined
  }

  async function writeBatch(batch: readonly Waiting[], sync: boolean): Promise<void> {
    try {
      const { keyed, forget } = await numbers.key(batch.flatMap((each) => each.changes))
      await health
        .write(() => db.batch(keyed, { sync }))
        .catch((error: unknown) => {
          forget()
          throw error
        })
      for (const each of batch) each.resolve()
    } catch (error) {
      // What nobody waits for goes with the next write: a disk that failed once must not make a gap in a history.
      const kept = batch.filter((each) => each.canWait).slice(-MOST_KEPT)
      later.unshift(...kept)
      for (const each of batch) if (!kept.includes(each)) each.reject(error)
    }
  }

  function begin(): void {
    clearTimeout(timer)
    timer = undefined
    // With nothing to write writeAll would have ended before its promise is kept here.
    if (lazy.length + synced.length > 0) writing ??= writeAll()
  }

  function flushLater(): void {
    lazy.push(...later.splice(0))
    begin()
  }

  function write(changes: readonly StoreChange[], options: WriteOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const each = { changes, resolve, reject, canWait: options.later === true }
      if (!options.later) {
        if (options.lazy) lazy.push(each)
        else synced.push(each)
        begin()
        return
      }
      later.push(each)
      timer ??= setTimeout(flushLater, LATER_MS).unref()
    })
  }

  return {
    get: <T>(key: string): Promise<T | undefined> =>
      health.read(async () => (await db.get(key)) as T | undefined),
    async *entries<T>(prefix: string): AsyncIterable<readonly [string, T]> {
      const iterator = await health.read(async () => db.iterator({ gte: prefix, lt: `${prefix}\uffff` }))
      try {
        for (;;) {
          const next = await health.read(() => iterator.next())
          if (next === undefined) return
          yield [next[0], next[1] as T]
        }
      } finally {
        await iterator.close()
      }
    },
    write,
    lastNumber: (log) => numbers.last(log),
    async close(): Promise<void> {
      flushLater()
      await writing
      for (const each of later.splice(0)) each.reject(new Error(`the store ${name} was closed`))
      await health.settled()
      await db.close()
    },
  }
}
