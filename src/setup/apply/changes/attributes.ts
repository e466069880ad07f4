import type { Stats } from 'node:fs'
import { MagnetarError } from '../../../lib/errors.js'
import type { Ids } from '../owner.js'
import type { ChangeTools } from './change-kind.js'

export interface Attributes extends Ids {
  readonly mode: number
}

/** Permission bits and owner, as numbers. */
export function attributesOf(stats: Stats): Attributes {
  return { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid }
}

/**
 * Gives what `fd` holds its mode and owner. Without root the owner has to be right already. On failure it is as before.
 * @returns what it was, undefined when nothing had to be changed
 * @throws MagnetarError NOT_PERMITTED; the system error
 */
export function setAttributes(
  fd: number,
  wanted: Ids & { readonly mode: number },
  tools: ChangeTools,
): Attributes | undefined {
  const { fs } = tools
  const before = attributesOf(fs.fstatSync(fd))
  const owned = before.uid === wanted.uid && before.gid === wanted.gid
  if (owned && before.mode === wanted.mode) return undefined
  if (!owned) refuseWithoutRoot(tools.uid, wanted)
  // A descriptor that only names the file (O_PATH) is changed by its path in /proc.
  const opened = `/proc/self/fd/${fd}`
  // The mode first: what becomes narrower is so before somebody else owns it.
  if (before.mode !== wanted.mode) fs.chmodSync(opened, wanted.mode)
  if (owned) return before
  try {
    fs.chownSync(opened, wanted.uid, wanted.gid)
    // A change of owner takes some bits away.
    if ((fs.fstatSync(fd).mode & 0o7777) !== wanted.mode) fs.chmodSync(opened, wanted.mode)
    return before
  } catch (error) {
    const { uid, gid } = fs.fstatSync(fd)
    if (uid !== before.uid || gid !== before.gid) fs.chownSync(opened, before.uid, before.gid)
    fs.chmodSync(opened, before.mode)
    throw error
  }
}

/** @throws MagnetarError NOT_PERMITTED unless this is root, or the user whose it is to be */
export function refuseWithoutRoot(uid: number, wanted: Ids): void {
  if (uid === 0 || uid === wanted.uid) return
  throw new MagnetarError(
    'NOT_PERMITTED',
    `it has to belong to the user with the number ${wanted.uid}, and only root can give it to them`,
  )
}
