import fs from 'node:fs'
import { MagnetarError } from './errors.js'

/**
 * What is written at once to a new file, at most: 127 pages. Larger pieces, or such that begin at even boundaries, get their memory from the kernel in
 * large runs, which a virtual machine may have to ask its host for: measured, 1 GiB took 1.3 s so, and 2.3 to 3.4 s in pieces of 256 and 512 KiB.
 */
export const PIECE_BYTES = 127 * 4096

/**
 * Writes all of the chunks, `size` bytes, from `position` on (null: where the file stands): the kernel may take a part only, as it does
 * just before a disk is full. With callbacks, for what moves gigabytes.
 */
export function writeAll(
  fd: number,
  chunks: Buffer[],
  size: number,
  position: number | null,
  done: (error: unknown) => void,
): void {
  const next = (error: unknown, count: number): void => {
    if (error || count === size) done(error)
    else if (count === 0) done(new MagnetarError('DISK_FULL', 'the disk takes no more bytes'))
    else writeAll(fd, skip(chunks, count), size - count, position === null ? null : position + count, done)
  }
  const only = chunks[0]
  if (chunks.length === 1 && only) fs.write(fd, only, 0, only.length, position, next)
  else fs.writev(fd, chunks, position, next)
}

function skip(chunks: Buffer[], count: number): Buffer[] {
  let left = count
  const rest: Buffer[] = []
  for (const chunk of chunks) {
    if (left >= chunk.length) left -= chunk.length
    else {
      rest.push(left > 0 ? chunk.subarray(left) : chunk)
      left = 0
    }
  }
  return rest
}
