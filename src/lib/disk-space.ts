import { statfs } from 'node:fs/promises'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
/** Below this an upload of a small data set fails. */
const FULL_BYTES = 100 * MIB
const LOW_BYTES = 2 * GIB
const LOW_SHARE = 0.1
/** A job directory takes about 20. */
const FULL_INODES = 1000
const LOW_INODES = 20_000

/** What a file system has left; without counted inodes `totalInodes` is 0. */
export interface DiskRoom {
  readonly freeBytes: number
  readonly totalBytes: number
  readonly freeInodes: number
  readonly totalInodes: number
}

export type RoomState = 'enough' | 'low' | 'full'

/** The room for users other than root. @throws the system's error */
export async function readDiskRoom(path: string): Promise<DiskRoom> {
  const { bavail, blocks, bsize, ffree, files } = await statfs(path)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeInodes: ffree, totalInodes: files }
}

/** Whether people have to do something: space and inodes each by a share and by what jobs need. */
export function judgeDiskRoom(room: DiskRoom): { readonly bytes: RoomState; readonly inodes: RoomState } {
  const { freeBytes, totalBytes, freeInodes, totalInodes } = room
  const isLow = freeBytes < LOW_BYTES && freeBytes < totalBytes * LOW_SHARE
  const hasFewInodes = totalInodes > 0 && freeInodes < LOW_INODES && freeInodes < totalInodes * LOW_SHARE
  return {
    bytes: isLow ? (freeBytes < FULL_BYTES ? 'full' : 'low') : 'enough',
    inodes: hasFewInodes ? (freeInodes < FULL_INODES ? 'full' : 'low') : 'enough',
  }
}

/** "1.5 GiB", "12 MiB": in the units of df -h. */
export function showRoom(bytes: number): string {
  if (bytes >= 1024 * GIB) return `${(bytes / 1024 / GIB).toFixed(1)} TiB`
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.floor(bytes / MIB)} MiB`
}
