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
const MAX_SPARES = 64

/** Takes job directories away: out of sight at once, emptied or removed in the background. */
export interface Trash {
  /**
   * Resolves when the directory no longer has its name; nothing happens to one that is not there, or neither carries our marker
   * nor is a Python server's.
   */
  discard(directory: string): Promise<void>
  /** An emptied job directory to begin the next job with; undefined when there is none. */
  takeSpare(): string | undefined
  /** Resolves when everything discarded so far is taken care of. */
  settled(): Promise<void>
}

/**
 * Also removes what an earlier server discarded and did not finish.
 * @param mode of job directories
 */
export async function openTrash(
  stagingDirectory: string,
  mode: number | undefined,
  log: Logger,
): Promise<Trash> {
  const directory = path.join(stagingDirectory, RESERVED_DIRECTORY, 'trash')
  await makeDirectories(directory)
  const limit = createLimit(REMOVALS_AT_ONCE)
  const pending = new Set<Promise<void>>()
  const spares: string[] = []

  async function removeInSteps(target: string): Promise<void> {
    while (!(await disk.removeTree(target, STEP_MS))) {}
  }

  async function recycle(target: string): Promise<void> {
    const spare = path.join(directory, `spare-${randomUUID()}`)
    if (spares.length < MAX_SPARES && (await disk.recycleJobDirectory(target, spare, mode, STEP_MS)))
      spares.push(spare)
    else await removeInSteps(target)
  }

  function take(target: string, how: (target: string) => Promise<void>): void {
    const work = limit(() => how(target)).catch((error: unknown) => {
      log.warn(`cannot remove all of ${target}: ${messageOf(error)}`)
    })
    pending.add(work)
    void work.finally(() => pending.delete(work))
  }

  for (const name of await listDirectory(directory)) take(path.join(directory, name), removeInSteps)
  return {
    async discard(target): Promise<void> {
      const unseen = path.join(directory, randomUUID())
      if (await disk.discardJobDirectory(target, unseen)) take(unseen, recycle)
    },
    takeSpare: () => spares.pop(),
    async settled(): Promise<void> {
      await Promise.all(pending)
    },
  }
}
