import { access } from 'node:fs/promises'
import path from 'node:path'
import type { NodeConfig } from '../config/types.js'
import { jobDirectory, MARKER } from '../jobs/directory.js'
import { JOURNAL, type JournalEvent } from '../jobs/journal/event.js'
import { type Parked, parkedKey } from '../jobs/park.js'
import { activeKey, endedKey, type JobRecord } from '../jobs/record.js'
import { logKey, type Store } from '../store/store.js'
import { openCopy } from './records-copy.js'

/** Events that may come after the one that a clean stop writes last: what was still under way then. */
const LAST_EVENTS = 50

/**
 * How many jobs of a server that does not run a Python Pulsar would not find: they stand in the records alone, as the server was killed,
 * or had no time to leave them (jobs/park). Jobs without a directory count for nobody.
 * @throws MagnetarError NOT_PERMITTED, STORE_BROKEN, COPY_FAILED when the records cannot be read
 */
export async function countNotHandedOver(
  config: Pick<NodeConfig, 'managers' | 'persistenceDirectory'>,
  signal: AbortSignal,
): Promise<number> {
  const { store, release } = await openCopy(config.persistenceDirectory, signal)
  try {
    const wasStopped = await hasStopped(store)
    let found = 0
    for (const { name, stagingDirectory } of config.managers) {
      const parked = wasStopped ? await store.get<Parked>(parkedKey(name)) : undefined
      const isThere = (id: string, file: string): Promise<boolean> =>
        exists(path.join(jobDirectory(stagingDirectory, id).path, file))
      for await (const [, { id }] of store.entries<JobRecord>(activeKey(name, ''))) {
        signal.throwIfAborted()
        if (parked?.kinds[id] === undefined && (await isThere(id, MARKER))) found++
      }
      for await (const [, { id }] of store.entries<JobRecord>(endedKey(name, ''))) {
        signal.throwIfAborted()
        if ((await isThere(id, MARKER)) && !(await isThere(id, 'final_status'))) found++
      }
    }
    return found
  } finally {
    await release()
  }
}

/** What was left by an earlier stop may still be on record when the machine has lost its power. */
async function hasStopped(store: Store): Promise<boolean> {
  const last = await store.lastNumber(JOURNAL)
  for (let number = last; number > Math.max(0, last - LAST_EVENTS); number--) {
    const event = await store.get<JournalEvent>(logKey(JOURNAL, number))
    if (event?.kind === 'node-stopped') return true
    if (event?.kind === 'node-started') return false
  }
  return last === 0
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
