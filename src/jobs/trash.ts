import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../lib/errors.js'
import { listDirectory, makeDirectories } from '../lib/fs.js'
import { createLimit } from '../lib/limit.js'
import type { Logger } from '../lib/log.js'
import { removeTree } from '../lib/remove-tree.js'
import { RESERVED_DIRECTORY } from './job-id.js'

const rename = promisify(fs.rename)
const REMOVALS_AT_ONCE = 2

/** Removes job directories: out of sight at once, from the disk in the background. */
export interface Trash {
  /** Resolves when the directory no longer has its name. @throws when it cannot be renamed. */
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
  const remove = (target: string): void => {
    const removal = limit(() => removeTree(target)).catch((error: unknown) => {
      log.warn(`cannot remove all of ${target}: ${messageOf(error)}`)
    })
    pending.add(removal)
    void removal.finally(() => pending.delete(removal))
  }
  for (const entry of await listDirectory(directory)) remove(path.join(directory, entry.name))
  return {
    async discard(target): Promise<void> {
      const unseen = path.join(directory, randomUUID())
      await rename(target, unseen)
      remove(unseen)
    },
    settled: async () => {
      await Promise.all(pending)
    },
  }
}
