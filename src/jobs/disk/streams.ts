import fs from 'node:fs'
import { type OpenFile, openForRead } from '../../lib/confined-file.js'
import { errnoOf, MagnetarError } from '../../lib/errors.js'

const CUT = '\n..\n'
/** Also of a stream whose size is not limited: an answer must fit into memory. */
const MAX_BYTES = 128 * 1024 * 1024

/**
 * A stream file as the status reports it: whole when it has at most `wantedBytes`, else its head and tail around "\n..\n",
 * `wantedBytes` in all (galaxy.util.shrink_stream_by_size; a limit under 6 keeps just the head). Invalid UTF-8 becomes U+FFFD.
 * At most `wantedBytes` are read, however large the file. undefined: missing, no regular file, or outside `directory`.
 */
export function readStream(directory: string, name: string, wantedBytes: number): string | undefined {
  const limitBytes = Math.min(wantedBytes, MAX_BYTES)
  let file: OpenFile
  try {
    file = openForRead(directory, name.split('/'))
  } catch (error) {
    if (error instanceof MagnetarError || errnoOf(error) === 'EACCES') return undefined
    throw error
  }
  const { fd, size } = file
  try {
    if (size <= limitBytes) return readAt(fd, 0, size)
    if (limitBytes < CUT.length + 2) return readAt(fd, 0, limitBytes)
    const kept = limitBytes - CUT.length
    const tailBytes = Math.floor(kept / 2)
    return readAt(fd, 0, Math.ceil(kept / 2)) + CUT + readAt(fd, size - tailBytes, tailBytes)
  } finally {
    fs.closeSync(fd)
  }
}

function readAt(fd: number, position: number, length: number): string {
  if (length === 0) return ''
  const buffer = Buffer.allocUnsafe(length)
  return buffer.toString('utf8', 0, fs.readSync(fd, buffer, 0, length, position))
}
