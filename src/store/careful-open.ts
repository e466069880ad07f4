import fs from 'node:fs'
import path from 'node:path'
import type { ClassicLevel } from 'classic-level'
import { syncDirectory } from '../lib/atomic-file.js'
import { errnoOf, messageOf } from '../lib/errors.js'

export type Database = ClassicLevel<string, unknown>

/** In the database's directory, while it is being opened: all files as they were before. LevelDB ignores names it does not know. */
const KEPT = 'magnetar-kept'
const TEMPORARY = '.magnetar-kept.magnetar-new'
const ATTEMPTS = 3
/** What LevelDB makes and removes; LOCK and its own log, LOG, are not of the data. */
const DATA_FILE = /^(?:\d+\.(?:log|ldb|sst|dbtmp)|MANIFEST-\d+|CURRENT)$/
const INFO_LOG = 'LOG'

/**
 * Opens a LevelDB, or leaves it as it was. LevelDB itself goes on without what it could not read of its newest records, however short the
 * trouble was, and then removes them: jobs would be forgotten whose submit was confirmed. It tells of that only in its log. So all files are
 * kept by links, which costs no space and no copying as LevelDB never changes a file it finds, until that log was seen to have nothing
 * of the kind; otherwise, and after an end in the middle, they come back first.
 * Leaves CURRENT synced, which LevelDB does only with whatever comes next in its directory. @throws LevelDB's error; the system's
 */
export async function openCarefully(db: Database): Promise<void> {
  const directory = db.location
  // Whoever is opening it now holds LevelDB's lock, and this fails.
  if (fs.existsSync(path.join(directory, KEPT))) await openAndPutBack(db)
  for (let attempt = 1; ; attempt++) {
    keepFiles(directory)
    try {
      await db.open()
      const ignored = ignoredError(directory)
      if (ignored === undefined) break
      throw new Error(ignored)
    } catch (error) {
      await db.close()
      // Another server may have it, and have changed what was kept.
      if (hadNoLock(directory, error)) removeKept(directory)
      else putBack(directory)
      if (attempt === ATTEMPTS || isLocked(error)) throw error
    }
  }
  try {
    removeKept(directory)
  } catch (error) {
    await db.close()
    throw error
  }
}

/** Whether another process, or another part of this one, has the database open. */
export function isLocked(error: unknown): boolean {
  return errnoOf(causeOf(error)) === 'LEVEL_LOCKED'
}

/** Whether it failed before this process had LevelDB's lock. */
function hadNoLock(directory: string, error: unknown): boolean {
  return isLocked(error) || messageOf(causeOf(error)).includes(`${path.join(directory, 'LOCK')}: `)
}

function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error
}

async function openAndPutBack(db: Database): Promise<void> {
  try {
    await db.open()
  } catch (error) {
    if (hadNoLock(db.location, error)) throw error
  }
  await db.close()
  putBack(db.location)
}

function keepFiles(directory: string): void {
  const temporary = path.join(directory, TEMPORARY)
  fs.rmSync(temporary, { recursive: true, force: true })
  fs.mkdirSync(temporary, { mode: 0o700 })
  for (const name of dataFiles(directory)) linkOrCopy(path.join(directory, name), path.join(temporary, name))
  syncDirectory(temporary)
  fs.renameSync(temporary, path.join(directory, KEPT))
  syncDirectory(directory)
  // What it says afterwards is of this time.
  fs.rmSync(path.join(directory, INFO_LOG), { force: true })
}

/** Can be repeated when it was cut off. */
function putBack(directory: string): void {
  const kept = path.join(directory, KEPT)
  const names = new Set(dataFiles(kept))
  const temporary = path.join(directory, `${TEMPORARY}-file`)
  for (const name of names) {
    fs.rmSync(temporary, { force: true })
    linkOrCopy(path.join(kept, name), temporary)
    fs.renameSync(temporary, path.join(directory, name))
  }
  // Renamed to another name of the same file, it is still there.
  fs.rmSync(temporary, { force: true })
  for (const name of dataFiles(directory)) if (!names.has(name)) fs.rmSync(path.join(directory, name))
  syncDirectory(directory)
  removeKept(directory)
}

/** In one step: a part of it must never be put back, and nothing when the database was written since. */
function removeKept(directory: string): void {
  const temporary = path.join(directory, TEMPORARY)
  fs.rmSync(temporary, { recursive: true, force: true })
  fs.renameSync(path.join(directory, KEPT), temporary)
  syncDirectory(directory)
  try {
    fs.rmSync(temporary, { recursive: true, force: true })
  } catch {
    // It goes the next time.
  }
}

function dataFiles(directory: string): string[] {
  return fs.readdirSync(directory).filter((name) => DATA_FILE.test(name))
}

function linkOrCopy(from: string, to: string): void {
  try {
    fs.linkSync(from, to)
  } catch (error) {
    // A file system without links.
    if (!['EPERM', 'ENOTSUP', 'EMLINK', 'ENOSYS'].includes(errnoOf(error) ?? '')) throw error
    fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL)
    const fd = fs.openSync(to, 'r')
    try {
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  }
}

/**
 * What LevelDB could not read and went on without. Damage is something else: the end of its log may be torn after a loss of power, and
 * nothing of that was confirmed.
 */
function ignoredError(directory: string): string | undefined {
  const lines = fs.readFileSync(path.join(directory, INFO_LOG), 'utf8').split('\n')
  return lines.find((line) => /ignoring error/i.test(line) && !line.includes('Corruption:'))
}
