import fs from 'node:fs'
import { promisify } from 'node:util'
import { type OpenFile, openForRead } from '../lib/confined-file.js'
import { errnoOf, MagnetarError } from '../lib/errors.js'

const close = promisify(fs.close)

const CUT = '\n..\n'

/**
 * A stream file as the status reports it: whole when it has at most `limitBytes`, else its head and tail around "\n..\n",
 * `limitBytes` in all (galaxy.util.shrink_stream_by_size; a limit under 6 keeps just the head). Invalid UTF-8 becomes U+FFFD.
 * At most `limitBytes` are read, however large the file. undefined: missing, no regular file, or outside `directory`.
 */
export async function readStream(
  directory: string,
  name: string,
  limitBytes: number,
): Promise<string | undefined> {
  let file: OpenFile
  try {
    file = await openForRead(directory, name.split('/'))
  } catch (error) {
    if (error instanceof MagnetarError || errnoOf(error) === 'EACCES') return undefined
    throw error
  }
  const { fd, size } = file
  try {
    if (size <= limitBytes) return (await readAt(fd, 0, size)).toString('utf8')
    if (limitBytes < CUT.length + 2) return (await readAt(fd, 0, limitBytes)).toString('utf8')
    const kept = limitBytes - CUT.length
    const head = await readAt(fd, 0, Math.ceil(kept / 2))
    const tailBytes = Math.floor(kept / 2)
    const tail = await readAt(fd, size - tailBytes, tailBytes)
    return head.toString('utf8') + CUT + tail.toString('utf8')
  } finally {
    await close(fd)
  }
}

function readAt(fd: number, position: number, length: number): Promise<Buffer> {
  if (length === 0) return Promise.resolve(Buffer.alloc(0))
  return new Promise((resolve, reject) => {
    const buffer = Buffer.allocUnsafe(length)
    fs.read(fd, buffer, 0, length, position, (error, bytes) => {
      if (error) reject(error)
      else resolve(buffer.subarray(0, bytes))
    })
  })
}
