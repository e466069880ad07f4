import { constants, lstat, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import type { NodePaths } from '../types.js'

/**
 * A node whose check job has not gone through has an empty file in var, so that the next setup sends the job again although nothing is
 * left to change. In var, since uninstall does not expect it elsewhere.
 */
const NAME = '.magnetar-unproved'

/** Before the job is sent. A node without var cannot be marked. */
export async function markUnproved({ var: directory }: Pick<NodePaths, 'var'>): Promise<void> {
  // The directory belongs to the user of the node, and this may be root: nothing is made through a link, and nothing written.
  if (!(await isDirectory(directory))) return
  try {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    await (await open(join(directory, NAME), flags, 0o644)).close()
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
}

/** Once the job has gone through. */
export async function clearUnproved({ var: directory }: Pick<NodePaths, 'var'>): Promise<void> {
  try {
    if (await isDirectory(directory)) await unlink(join(directory, NAME))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** Whether the last check job has not gone through. */
export async function isUnproved({ var: directory }: Pick<NodePaths, 'var'>): Promise<boolean> {
  return lstat(join(directory, NAME)).then(
    () => true,
    () => false,
  )
}

async function isDirectory(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
