import fs from 'node:fs'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { MagnetarError } from '../../lib/errors.js'
import { giveBackBuffer, SHARED_BUFFER_BYTES, takeSharedBuffer } from '../../lib/shared-buffer.js'
import type { LocalFile } from '../action.js'
import { TransferError } from '../transfer-error.js'
import { disk, diskError } from './disk.js'
import { createFileStream, type FileStream, type Piece } from './file-stream.js'

/** A file that is being sent, held open so that it stays the same file. */
export interface SourceFile {
  readonly bytes: number
  /** Another one when the file was changed or replaced. */
  readonly stamp: string
  stream(piece: Piece): Readable
  /** Why a stream failed, when that was the file's fault. */
  failure(): unknown
  /** Whether all of the last stream was taken. */
  isTaken(): boolean
  /** Ends the streams and closes the file. */
  close(): Promise<void>
}

const fstat = promisify(fs.fstat) as unknown as (
  fd: number,
  options: { bigint: true },
) => Promise<fs.BigIntStats>
const close = promisify(fs.close)

/** A file to be sent: small with its content, else open. */
export type Source = { readonly content: Uint8Array } | SourceFile

/**
 * Opens a file to be sent.
 * @throws TransferError missingFile when there is none
 */
export async function openSource(from: LocalFile): Promise<SourceFile> {
  try {
    return await adopt((await disk.openForRead(from.base, from.components)).fd, from)
  } catch (error) {
    throw sourceError(error, from)
  }
}

/**
 * Like openSource, but a file that fits into a shared buffer is read at once. The content is to be given back (lib/shared-buffer) when
 * it was sent.
 */
export async function readSource(from: LocalFile): Promise<Source> {
  const room = takeSharedBuffer(SHARED_BUFFER_BYTES)
  try {
    const file = await disk.readSmallFile(from.base, from.components, room.length, room)
    if (!('content' in file)) giveBackBuffer(room)
    return 'content' in file ? file : await adopt(file.fd, from)
  } catch (error) {
    giveBackBuffer(room)
    throw sourceError(error, from)
  }
}

async function adopt(fd: number, from: LocalFile): Promise<SourceFile> {
  try {
    const { size, mtimeNs, ino } = await fstat(fd, { bigint: true })
    return sourceOf(fd, nameOf(from), Number(size), `${size}:${mtimeNs}:${ino}`)
  } catch (error) {
    await close(fd)
    throw error
  }
}

export function nameOf({ components }: LocalFile): string {
  return components[components.length - 1] ?? ''
}

/** The TransferError for a local file that cannot be sent. */
function sourceError(error: unknown, from: LocalFile): unknown {
  if (!(error instanceof MagnetarError) || error.code !== 'FILE_NOT_FOUND')
    return diskError(error, { read: from })
  return new TransferError(error.message, { transient: false, missingFile: true, cause: error })
}

function sourceOf(fd: number, name: string, bytes: number, stamp: string): SourceFile {
  const open = new Map<Readable, Promise<void>>()
  let last: FileStream | undefined
  let failure: Error | undefined

  function fail(error: unknown): Error {
    const why =
      error === undefined
        ? new TransferError(`${JSON.stringify(name)} changed its size while it was sent`, { transient: true })
        : diskError(error)
    failure ??= why instanceof Error ? why : new Error(String(why))
    return failure
  }

  return {
    bytes,
    stamp,
    stream(piece) {
      last = createFileStream(fd, bytes, piece, fail)
      const { readable } = last
      const closed = new Promise<void>((resolve) => readable.once('close', resolve))
      open.set(
        readable,
        closed.then(() => void open.delete(readable)),
      )
      return readable
    },
    failure: () => failure,
    isTaken: () => last?.isTaken() ?? true,
    async close() {
      for (const readable of open.keys()) readable.destroy()
      await Promise.all(open.values())
      await close(fd)
    },
  }
}
