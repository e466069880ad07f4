import fs from 'node:fs'
import { promisify } from 'node:util'
import { z } from 'zod'
import { messageOf } from '../../lib/errors.js'
import type { PartFile } from '../../lib/part-file.js'
import { writeAll } from '../../lib/write-all.js'
import type { LocalFile, TransferTools } from '../action.js'
import { TransferError } from '../transfer-error.js'
import { disk, diskError } from './disk.js'
import { conditionOf, partName, type Version } from './version.js'

/** The bytes of one version of a file, as far as they are there. */
export interface Part {
  readonly name: string
  readonly version: Version
  readonly file: PartFile
  /** Bytes that are right, from the beginning. */
  bytes: number
}

/** What is noted of a part for later attempts, which then need not ask for the version first. */
const noteSchema = z.object({
  part: z.string().regex(/^[0-9a-f]{32}$/),
  etag: z.string().optional(),
  modified: z.string().optional(),
  isDateStrong: z.boolean(),
  bytes: z.number().optional(),
})

/** From here on a part is noted before it is filled: fetching it anew after a crash would cost more. */
const NOTED_FROM_BYTES = 4 * 1024 * 1024
/** So many bytes are asked for again and compared. */
const OVERLAP_BYTES = 64 * 1024
/** What a download leaves free for the rest of the machine. */
const SPARE_BYTES = 16 * 1024 * 1024

const ftruncate = promisify(fs.ftruncate)

/** The part that an earlier attempt noted, if it is there and belongs to this boot of the machine. */
export async function openNotedPart(to: LocalFile, tools: TransferTools): Promise<Part | undefined> {
  const note = readNote(tools)
  if (!note) return undefined
  const { etag, modified, isDateStrong, bytes } = note
  const version: Version = { etag, modified, isDateStrong, bytes }
  if (partName(lastOf(to), version) !== note.part) {
    await disk.removePartFile(to.base, to.components, note.part)
    return undefined
  }
  return openLeftPart(to, version)
}

/** What earlier attempts left of this version, if anything. */
async function openLeftPart(to: LocalFile, version: Version): Promise<Part | undefined> {
  const name = partName(lastOf(to), version)
  const file = await disk.openPartFile(to.base, to.components, name, { existing: true })
  return file && withSpace({ name, version, file, bytes: file.size })
}

/** The part for this version, with what earlier attempts left of it. A large one is noted. */
export async function openPart(to: LocalFile, version: Version, tools: TransferTools): Promise<Part> {
  const name = partName(lastOf(to), version)
  const file = await disk.openPartFile(to.base, to.components, name)
  if (!file) throw new Error('a part file was not made')
  const part = await withSpace({ name, version, file, bytes: file.size })
  if (version.bytes === undefined || version.bytes >= NOTED_FROM_BYTES) await notePart(part, tools)
  return part
}

/** The part, when the rest of it will fit; else it is closed. */
async function withSpace(part: Part): Promise<Part> {
  const refusal = checkSpace(part)
  if (!refusal) return part
  if (refusal.transient && part.bytes > 0) await disk.closePartFile(part.file)
  else await disk.discardNewFile(part.file)
  throw refusal
}

function checkSpace({ version, file, bytes }: Part): TransferError | undefined {
  if (version.bytes === undefined) return undefined
  const needed = version.bytes - bytes + SPARE_BYTES
  if (needed <= file.freeBytes) return undefined
  const mib = (size: number): string => `${Math.ceil(size / 1024 / 1024)} MiB`
  const words = `the file has ${mib(version.bytes)}, and the disk that holds the job directories has`
  const fitsNever = version.bytes + SPARE_BYTES > file.diskBytes
  const message = fitsNever
    ? `${words} ${mib(file.diskBytes)} in all: it can never be stored there`
    : `${words} ${mib(file.freeBytes)} left, of which ${mib(SPARE_BYTES)} are to stay free: free some space there`
  return new TransferError(message, { transient: !fitsNever })
}

/** Notes a part for later attempts; that this fails only costs them a request. */
export async function notePart({ name, version }: Part, tools: TransferTools): Promise<void> {
  const { etag, modified, isDateStrong, bytes } = version
  const text = JSON.stringify({ part: name, etag, modified, isDateStrong, bytes })
  if (tools.memory.get() === text) return
  try {
    await tools.memory.set(text)
  } catch (error) {
    tools.log.warn({ reason: messageOf(error) }, 'what is there of a download could not be noted')
  }
}

function readNote(tools: TransferTools): z.infer<typeof noteSchema> | undefined {
  const text = tools.memory.get()
  if (text === undefined) return undefined
  try {
    return noteSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/**
 * Where a part is continued: a little before its end, to compare, whatever a validator says; there are servers that answer a range
 * with the right headers and other bytes. 0: not worth it.
 */
export function resumePoint({ version, bytes }: Part): number {
  if (version.bytes !== undefined && bytes > version.bytes) return 0
  return Math.max(0, bytes - OVERLAP_BYTES)
}

/** The header fields that ask for the rest of a part from `start`. */
export function rangeHeaders({ version }: Part, start: number): Record<string, string> {
  const condition = conditionOf(version)
  return { range: `bytes=${start}-`, ...(condition === undefined ? {} : { 'if-range': condition }) }
}

/** What a part holds from `start` to its end. */
export async function readTail({ file, bytes }: Part, start: number): Promise<Uint8Array> {
  const tail = Buffer.allocUnsafe(bytes - start)
  const { bytesRead } = await readAt(file.fd, tail, 0, tail.length, start)
  return tail.subarray(0, bytesRead)
}

const readAt = promisify(fs.read) as unknown as (
  fd: number,
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>

/** Adds bytes to the end of a part. */
export async function appendToPart(part: Part, content: Uint8Array): Promise<void> {
  const chunk = Buffer.from(content.buffer, content.byteOffset, content.length)
  await new Promise<void>((resolve, reject) => {
    writeAll(part.file.fd, [chunk], chunk.length, part.bytes, (error) =>
      error ? reject(diskError(error)) : resolve(),
    )
  })
  part.bytes += content.length
}

/** Forgets all bytes of a part. */
export async function emptyPart(part: Part): Promise<void> {
  if (part.bytes === 0) return
  try {
    await ftruncate(part.file.fd, 0)
  } catch (error) {
    throw diskError(error)
  }
  part.bytes = 0
}

function lastOf(to: LocalFile): string {
  return to.components[to.components.length - 1] ?? ''
}
