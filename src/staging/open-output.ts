import fs from 'node:fs/promises'
import { pathThrough } from '../lib/confined-file-walk.js'
import { MagnetarError } from '../lib/errors.js'
import type { LocalFile } from './action.js'
import { copier } from './copy/copier.js'
import { disk, diskError } from './http/disk.js'
import { TransferError } from './transfer-error.js'

/** A file of a job, held open while it is delivered: it stays this file, whatever happens to its name. */
export interface OpenOutput {
  readonly fd: number
  readonly size: number
  /** @throws TransferError when its size is not what it was: then nobody knows what was delivered */
  checkSize(): Promise<void>
  close(): Promise<void>
}

/** @throws TransferError, `missingFile` when it is not there */
export async function openOutput(from: LocalFile): Promise<OpenOutput> {
  try {
    const { fd, size } = await disk.openForRead(from.base, from.components)
    return {
      fd,
      size,
      checkSize: async () => {
        const now = (await fs.stat(pathThrough(fd))).size
        if (now === size) return
        const name = JSON.stringify(from.components.join('/'))
        throw new TransferError(`${name} changed its size while it was sent`, { transient: true })
      },
      close: () => copier.closeFile(fd),
    }
  } catch (error) {
    if (!(error instanceof MagnetarError) || error.code !== 'FILE_NOT_FOUND')
      throw diskError(error, { read: from })
    throw new TransferError(error.message, { transient: false, missingFile: true, cause: error })
  }
}
