import { ClassicLevel } from 'classic-level'
import { MagnetarError, messageOf } from '../lib/errors.js'
import { makePrivateDirectory } from '../lib/private-file.js'
import { createLogNumbers } from './log-numbers.js'
import { LATER_MS, logNumber, type Store, type StoreChange, type WriteOptions } from './store.js'

interface Waiting {
  readonly changes: readonly StoreChange[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * A Store in a LevelDB directory, made when missing. One process at a time may have it open. Only its user can look into it: in the
 * notes of uploads there are addresses with the keys of jobs.
 * Writes that arrive while a batch is under way go into the next one: one fsync for all of them.
 * @throws MagnetarError STORE_LOCKED when another server has it, STORE_BROKEN when it cannot be opened.
 */
export async function openLevelStore(directory: string): Promise<Store> {
  const db = new ClassicLevel<string, unknown>(directory, { valueEncoding: 'json' })
  try {
    makePrivateDirectory(directory)
    await db.open()
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    if (/LOCK|lock/.test(messageOf(cause))) {
      throw new MagnetarError('STORE_LOCKED', `another server already uses ${directory}`, {
        fix: 'Stop the other server first, or give this one its own persistence_directory.',
        cause,
      })
    }
    throw brokenError(directory, 'open', cause)
  }

  const numbers = createLogNumbers(async (log) => {
    for await (const key of db.keys({ gte: `${log}/`, lt: `${log}/\uffff`, reverse: true, limit: 1 }))
      return logNumber(key)
    return 0
  })
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
      const { keyed, takeBack } = await numbers.key(batch.flatMap((each) => each.changes))
      await db.batch(keyed, { sync }).catch((error: unknown) => {
        takeBack()
        throw error
      })
      for (const each of batch) each.resolve()
    } catch (error) {
      for (const each of batch) each.reject(error)
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
      const each = { changes, resolve, reject }
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
    async get<T>(key: string): Promise<T | undefined> {
      try {
        return (await db.get(key)) as T | undefined
      } catch (error) {
        throw brokenError(directory, 'read', error)
      }
    },
    async *entries<T>(prefix: string): AsyncIterable<readonly [string, T]> {
      const iterator = db.iterator({ gte: prefix, lt: `${prefix}\uffff` })
      try {
        for (;;) {
          const next = await iterator.next().catch((error: unknown) => {
            throw brokenError(directory, 'read', error)
          })
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
      await db.close()
    },
  }
}

/** What is damaged stays as it is: whether anything of it is to be given up is for a person to say. */
function brokenError(directory: string, doing: 'open' | 'read', error: unknown): MagnetarError {
  const message = `cannot ${doing} the job records in ${directory}: ${messageOf(error)}`
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const isDamaged = /corrupt|decode|no meta-|CURRENT|checksum|truncated|No such file/i.test(
    `${code} ${messageOf(error)}`,
  )
  if (!isDamaged) return new MagnetarError('STORE_BROKEN', message, { cause: error })
  return new MagnetarError('STORE_BROKEN', message, {
    fix: `The disk may be at fault: look at its log first. Put ${directory} back from a backup; or set it aside (mv ${directory} ${directory}.broken) and start with none: the directories of all jobs stay, but jobs that were under way are not known any more.`,
    cause: error,
  })
}
