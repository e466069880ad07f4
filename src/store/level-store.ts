import { ClassicLevel } from 'classic-level'
import { MagnetarError, messageOf } from '../lib/errors.js'
import { makePrivateDirectory } from '../lib/private-file.js'
import type { Store, StoreChange } from './store.js'

interface Waiting {
  readonly changes: readonly StoreChange[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * A Store in a LevelDB directory, made when missing. One process at a time may have it open. Only its user can look into it: in the
 * notes of uploads there are addresses with the keys of jobs.
 * Writes that arrive while a synced batch is under way go into the next one: one fsync for all of them.
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
    throw new MagnetarError(
      'STORE_BROKEN',
      `cannot open the job records in ${directory}: ${messageOf(cause)}`,
      { cause },
    )
  }

  let waiting: Waiting[] = []
  let writing: Promise<void> | undefined

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await db.batch(batch.flatMap((each) => each.changes) as StoreChange[], { sync: true })
        for (const each of batch) each.resolve()
      } catch (error) {
        for (const each of batch) each.reject(error)
      }
    }
    writing = undefined
  }

  function writeSynced(changes: readonly StoreChange[]): Promise<void> {
    return new Promise((resolve, reject) => {
      waiting.push({ changes, resolve, reject })
      writing ??= writeAll()
    })
  }

  return {
    async get<T>(key: string): Promise<T | undefined> {
      return (await db.get(key)) as T | undefined
    },
    async *entries<T>(prefix: string): AsyncIterable<readonly [string, T]> {
      for await (const [key, value] of db.iterator({ gte: prefix, lt: `${prefix}\uffff` }))
        yield [key, value as T]
    },
    write: (changes, options) => (options?.lazy ? db.batch([...changes]) : writeSynced(changes)),
    async close(): Promise<void> {
      await writing
      await db.close()
    },
  }
}
