import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../lib/log.js'
import type { Store } from '../store/store.js'
import { disk } from './disk/disk.js'
import { stagingMark } from './disk/staging-mark.js'
import { activeKey } from './record.js'

const LOOK_MS = 1000

export interface StagingPlace {
  readonly manager: string
  readonly stagingDirectory: string
}

/**
 * Before a server opens a staging directory: resolves when it is the one that the unfinished jobs of the records were in. After a reboot its
 * file system may be mounted later than the server is started, and jobs whose directories are gone are lost. Without such jobs any directory
 * will do. @throws the signal's reason
 */
export async function awaitStaging(
  { manager, stagingDirectory }: StagingPlace,
  store: Store,
  log: Logger,
  signal: AbortSignal,
  lookMs = LOOK_MS,
): Promise<void> {
  const mark = stagingMark(stagingDirectory)
  if (await disk.exists(mark)) return
  let jobs = 0
  for await (const _ of store.entries(activeKey(manager, ''))) jobs += 1
  if (jobs === 0) return
  const whose = jobs === 1 ? 'one unfinished job' : `${jobs} unfinished jobs`
  log.warn(
    `manager ${manager} has ${whose}, and ${stagingDirectory} is not the directory they were in (there is no ${mark}): waiting until it is. Mount its file system, or set staging_directory to where it is now. To give these jobs up: mkdir ${mark}`,
  )
  while (!(await disk.exists(mark))) await delay(lookMs, undefined, { signal })
  log.info(`${stagingDirectory} is there: going on`)
}
