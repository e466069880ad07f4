import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { messageOf } from '../lib/errors.js'
import { listDirectory, makeDirectories } from '../lib/fs.js'
import { createLimit } from '../lib/limit.js'
import type { Logger } from '../lib/log.js'
import { disk } from './disk/disk.js'
import { RESERVED_DIRECTORY } from './job-id.js'

const REMOVALS_AT_ONCE = 2
/** A tree of millions is removed in steps of this length, between other work of the disk. */
const STEP_MS = 20

/** Removes job directories: out of sight at once, from the disk in the background. */
export interface Trash {
  /**
   * Resolves when the directory no longer has its name; nothing happens to one that is not there or does not carry our marker.
   */
  discard(directory: string): Promise<void>
  /** Resolves when everything discarded so far is removed. */
  settled(): Promise<void>
}

/** Also removes what an earlier server discarded and did not finish. */
export async function openTrash(stagingDirectory: string, log: Logger): Promise<Trash> {
  const directory = path.join(stagingDirectory, RESERVED_DIRECTORY, 'trash')
  await makeDirectories(directory)
  const limit = createLimit(REMOVALS_AT_ONCE)
  const pending = new Set<Promise<void>>()
  const removeInSteps = async (target: string): Promise<void> => {
    while (!(await disk.removeTree(target, STEP_MS))) {}
  }
  const remove = (target: string): void => {
    const removal = limit(() => removeInSteps(target)).catch((error: unknown) => {
      log.warn(`cannot remove all of ${target}: ${messageOf(error)}`)
    })
    pending.add(removal)
    void removal.finally(() => pending.delete(removal))
  }
  for (const name of await listDirectory(directory)) remove(path.join(directory, name))
  return {
    async discard(target): Promise<void> {
      const unseen = path.join(directory, randomUUID())
      if (await disk.discardJobDirectory(target, unseen)) remove(unseen)
    },
    settled: async () => {
      await Promise.all(pending)
    },
  }
}
