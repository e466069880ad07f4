import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Database } from './careful-open.js'

const MOST_FILES = 64
/** LevelDB itself makes files of 2 MiB. */
const SMALL_BYTES = 64 * 1024
/** Before and behind all keys. */
const [FIRST, LAST] = ['\0', '\uffff']

/**
 * Merges the many small files of a store that was opened again and again: each time LevelDB makes a file of the few records of the time
 * before, and never puts two together whose keys do not overlap, as those of a journal. A server that fails at each start would have
 * thousands, all of which are looked at by each opening.
 * @throws LevelDB's error; then the database has to be opened again
 */
export async function mergeSmallFiles(db: Database): Promise<void> {
  const sizes = readdirSync(db.location)
    .filter((name) => /\.(ldb|sst)$/.test(name))
    .map((name) => statSync(path.join(db.location, name), { throwIfNoEntry: false })?.size ?? 0)
  const small = sizes.filter((size) => size < SMALL_BYTES)
  if (small.length <= MOST_FILES) return
  // It merges no files of the lowest level, unless there are keys above that overlap with them.
  await db.batch([
    { type: 'del', key: FIRST },
    { type: 'del', key: LAST },
  ])
  await db.compactRange(FIRST, LAST)
  // That tells of no failure; a write after it does.
  await db.del(FIRST)
}
