import nodeFs from 'node:fs'
import { MagnetarError } from '../../../lib/errors.js'
import { timeSlices } from '../../../lib/time-slices.js'
import type { Ids } from '../owner.js'
import { attributesOf, setAttributes } from './attributes.js'
import type { ChangeTools } from './change-kind.js'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = nodeFs.constants

/**
 * Gives everything in a tree to one owner. No link is followed; a directory is given away after what is in it.
 * @throws MagnetarError SETUP_CONFLICT, NOT_PERMITTED; the system error; the signal's reason
 */
export async function ownTree(top: string, ids: Ids, tools: ChangeTools): Promise<void> {
  await own(Buffer.from(top), ids, tools, timeSlices(tools.signal))
}

async function own(entry: Buffer, ids: Ids, tools: ChangeTools, breathe: () => Promise<void>): Promise<void> {
  const { fs } = tools
  const stats = fs.lstatSync(entry)
  const isDirectory = stats.isDirectory()
  if (!isDirectory && !stats.isFile()) {
    if (tools.uid === 0) fs.lchownSync(entry, ids.uid, ids.gid)
    return
  }
  const fd = fs.openSync(entry, O_RDONLY | O_NOFOLLOW | (isDirectory ? O_DIRECTORY : O_NONBLOCK))
  try {
    if (isDirectory) {
      for (const name of fs.readdirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' })) {
        await breathe()
        await own(Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]), ids, tools, breathe)
      }
    }
    const opened = fs.fstatSync(fd)
    // Its other name may be somebody's file.
    if (opened.isFile() && opened.nlink > 1)
      throw new MagnetarError('SETUP_CONFLICT', 'a file in it has a second name (hard link)')
    setAttributes(fd, { ...attributesOf(opened), ...ids }, tools)
  } finally {
    fs.closeSync(fd)
  }
}
