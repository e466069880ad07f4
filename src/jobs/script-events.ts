import fs from 'node:fs'
import path from 'node:path'
import { listDirectory, makeDirectories } from '../lib/fs.js'
import type { Logger } from '../lib/log.js'
import { disk } from './disk/disk.js'
import { RESERVED_DIRECTORY } from './job-id.js'

export type ScriptEvent = 'started' | 'ended'

/**
 * All job scripts below one staging directory announce their start and end by making a file named after the job in one of
 * two directories. So two inotify watches serve any number of jobs, and where inotify does not see the writes of other
 * hosts (NFS), listing one directory does.
 */
export interface ScriptEvents {
  /** The file which the script of this job makes to announce the event. */
  file(event: ScriptEvent, jobId: string): string
  /** Job ids whose scripts have announced their end. */
  listEnded(): Promise<string[]>
  forget(jobId: string): Promise<void>
  close(): void
}

/** Watches the scripts of a staging directory; `listener` may be called more than once for one event. */
export async function watchScriptEvents(
  stagingDirectory: string,
  log: Logger,
  listener: (event: ScriptEvent, jobId: string) => void,
): Promise<ScriptEvents> {
  const directory = (event: ScriptEvent): string => path.join(stagingDirectory, RESERVED_DIRECTORY, event)
  const watchers: fs.FSWatcher[] = []
  for (const event of ['started', 'ended'] as const) {
    await makeDirectories(directory(event))
    try {
      const watcher = fs.watch(directory(event), { persistent: false }, (kind, name) => {
        // "rename" is how inotify's create and delete arrive; the content never matters.
        if (name && kind === 'rename') listener(event, name)
      })
      watcher.on('error', (error) =>
        log.warn({ err: error }, 'the kernel no longer reports job scripts; asking instead'),
      )
      watchers.push(watcher)
    } catch (error) {
      log.warn(
        { err: error },
        `cannot watch ${directory(event)} (inotify limit?); job ends are seen a little later`,
      )
    }
  }
  const file = (event: ScriptEvent, jobId: string): string => path.join(directory(event), jobId)
  return {
    file,
    listEnded: () => listDirectory(directory('ended')),
    async forget(jobId): Promise<void> {
      await Promise.all([disk.removeFile(file('started', jobId)), disk.removeFile(file('ended', jobId))])
    },
    close(): void {
      for (const watcher of watchers) watcher.close()
    },
  }
}
