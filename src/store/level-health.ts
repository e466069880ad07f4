import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Database, openCarefully } from './careful-open.js'
import { readError, withErrno } from './level-error.js'

/** LevelDB ignores files that it does not know. */
const PROBE = 'magnetar-probe'
/** To be opened, LevelDB writes what it is made of, and what it had in its log. */
const PROBE_BYTES = 65_536

/** @throws the system error when a disk does not take what LevelDB needs to be opened */
function takesWrites(directory: string): void {
  const probe = path.join(directory, PROBE)
  try {
    writeFileSync(probe, Buffer.alloc(PROBE_BYTES), { mode: 0o600, flush: true })
  } finally {
    rmSync(probe, { force: true })
  }
}

interface Health {
  /** Both reject with an error that has the system's errno, where LevelDB says it. */
  write(action: () => Promise<void>): Promise<void>
  read<T>(action: () => Promise<T>): Promise<T>
  settled(): Promise<void>
}

/**
 * LevelDB refuses all writes for good after one that could not be synced, and after one that was cut off (a full disk) it goes on
 * behind the torn record, where the next start may not find what follows. So after any write that failed it is opened anew, which reads
 * back what is whole, before it is written again. While the disk takes nothing it stays open, and can be read.
 */
export function watchHealth(db: Database, name: string): Health {
  let broken = false
  let mending: Promise<void> | undefined

  async function reopen(): Promise<void> {
    takesWrites(db.location)
    await db.close()
    await openCarefully(db)
    broken = false
  }

  async function mend(): Promise<void> {
    while (broken) {
      mending ??= reopen().finally(() => {
        mending = undefined
      })
      await mending
    }
  }

  return {
    async write(action) {
      try {
        if (broken) await mend()
        await action()
      } catch (error) {
        broken = true
        throw withErrno(error)
      }
    },
    async read(action) {
      try {
        if (mending) await mending.catch(() => {})
        if (db.status !== 'open') await mend()
        return await action()
      } catch (error) {
        throw readError({ location: db.location, name }, error)
      }
    },
    settled: async () => mending?.catch(() => {}),
  }
}
