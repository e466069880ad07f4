import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import type { PartFile } from '../../lib/part-file.js'
import type { LocalFile, TransferTools } from '../action.js'
import { copyContent } from '../copy/copier.js'
import { disk, diskError } from '../http/disk.js'
import { readPartNote, writePartNote } from '../part-note.js'
import { TransferError } from '../transfer-error.js'
import { pathOfOurs } from './key-file.js'

/** Names of this process. */
const OWN = randomBytes(8).toString('hex')
let serial = 0

/**
 * A part for scp, which begins every time at the first byte. What an earlier attempt left is removed.
 * @throws TransferError
 */
export async function openFreshPart(to: LocalFile, tools: TransferTools): Promise<PartFile> {
  try {
    const noted = readPartNote(tools, 'scp')
    if (noted !== undefined) await disk.removePartFile(to.base, to.components, noted)
    return await openNew(to, tools, 'scp')
  } catch (error) {
    throw diskError(error, { write: to })
  }
}

/**
 * A part for rsync, with what earlier attempts left. That of another process is copied: its rsync may still be writing to it.
 * @throws TransferError
 */
export async function openResumedPart(to: LocalFile, tools: TransferTools): Promise<PartFile> {
  try {
    const noted = readPartNote(tools, 'rsync')
    const old =
      noted === undefined
        ? undefined
        : await disk.openPartFile(to.base, to.components, noted, { existing: true })
    if (!old || noted?.startsWith(OWN)) return old ?? (await openNew(to, tools, 'rsync'))
    return await inherit(to, old, tools)
  } catch (error) {
    throw diskError(error, { write: to })
  }
}

async function inherit(to: LocalFile, old: PartFile, tools: TransferTools): Promise<PartFile> {
  const name = newName()
  const part = await openNamed(to, name)
  // Without room for both, the bytes are fetched again.
  const inherited = old.size < part.freeBytes / 2 ? old.size : 0
  try {
    await copyContent({
      from: old.fd,
      to: part.fd,
      start: 0,
      size: inherited,
      freeBytes: part.freeBytes,
      place: 'the disk that holds the job directories',
      signal: tools.signal,
      progress: () => {},
      readError: diskError,
      writeError: diskError,
    })
    // Only now: a crash before must not lose them.
    await writePartNote(tools, 'rsync', name)
  } catch (error) {
    await disk.discardNewFile(part)
    await disk.closePartFile(old)
    throw error
  }
  await disk.discardNewFile(old)
  return { ...part, size: inherited }
}

async function openNew(to: LocalFile, tools: TransferTools, owner: 'rsync' | 'scp'): Promise<PartFile> {
  const name = newName()
  await writePartNote(tools, owner, name)
  return openNamed(to, name)
}

async function openNamed(to: LocalFile, name: string): Promise<PartFile> {
  const part = await disk.openPartFile(to.base, to.components, name)
  if (!part) throw new Error('a part file was not made')
  return part
}

function newName(): string {
  return `${OWN}${(serial++).toString(16).padStart(8, '0')}`
}

/** The path by which a child process reaches a part, in whatever directory it is by then. */
export function childPathOf(part: PartFile): string {
  return pathOfOurs(part.directory, part.temporary.slice(part.temporary.lastIndexOf('/') + 1))
}

/**
 * Checks that a program wrote `bytes` bytes (undefined: as many as it liked) to the very file that we hold, and not to one that took its name.
 * @returns its size
 * @throws TransferError
 */
export async function checkPart(part: PartFile, bytes: number | undefined, doing: string): Promise<number> {
  try {
    const [held, named] = await Promise.all([fs.stat(pathOfOurs(part.fd)), fs.lstat(part.temporary)])
    if (held.ino !== named.ino || held.dev !== named.dev)
      throw new TransferError(`${doing}: something else took the place of the file on its way`, {
        transient: true,
      })
    if (bytes !== undefined && held.size !== bytes)
      throw new TransferError(`${doing} ended with ${held.size} of ${bytes} bytes`, { transient: true })
    return held.size
  } catch (error) {
    throw diskError(error)
  }
}
