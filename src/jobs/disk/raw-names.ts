import fs from 'node:fs'

/**
 * Names on disk are bytes. One that is not UTF-8 (Latin-1, half a character) is read with U+FFFD in the place of what cannot be
 * told, and no file can be opened by that.
 */
export function mayBeOtherThanUtf8(name: string): boolean {
  return name.includes('\uFFFD')
}

export interface RawName {
  readonly raw: Buffer
  readonly isDirectory: boolean
}

/** The names in a directory that are not UTF-8, of its first `limit` names. Throws what the system says. */
export function notUtf8Names(directory: string | Buffer, limit: number): RawName[] {
  const found: RawName[] = []
  // Typed for texts alone.
  const options = { encoding: 'buffer' as BufferEncoding }
  const open = fs.opendirSync(directory as string, options)
  try {
    let left = limit
    for (let entry = open.readSync(); entry && left > 0; entry = open.readSync(), left--) {
      const raw = entry.name as unknown as Buffer
      if (!raw.equals(Buffer.from(raw.toString()))) found.push({ raw, isDirectory: entry.isDirectory() })
    }
  } finally {
    open.closeSync()
  }
  return found
}

/** A path below a directory whose own name may be bytes. */
export function joinRaw<Directory extends string | Buffer>(
  directory: Directory,
  name: string | Buffer,
): Directory | Buffer {
  if (typeof directory === 'string' && typeof name === 'string') return `${directory}/${name}` as Directory
  return Buffer.concat([Buffer.from(directory), Buffer.from('/'), Buffer.from(name)])
}
