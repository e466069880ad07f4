import { disk } from '../jobs/disk/disk.js'
import { readBody, uploadTooLarge, writeBody } from './body.js'
import type { Exchange } from './types.js'

export interface UploadOptions {
  readonly mode?: number
  readonly sync?: boolean
}

/** Bodies up to this size are collected and stored by one task of the disk. */
const SMALL_BODY_BYTES = 64 * 1024

/**
 * Stores the body of a request as base/components: under a temporary name in the same directory, and only when it is complete
 * under its own. A cut or failed upload is never visible and leaves a file that was there as it was. Of two uploads to one
 * name the later rename wins, whole.
 *
 * Not synced unless asked for: a submit puts everything its job has been sent on disk before it is acknowledged (jobs/), one
 * fsync per file here would only make that slower.
 */
export async function receiveFile(
  exchange: Exchange,
  base: string,
  components: readonly string[],
  options: UploadOptions = {},
): Promise<void> {
  const { request, tally } = exchange
  const declared = request.headers['content-length']
  const limit = exchange.node.maxUploadBytes ?? Number.POSITIVE_INFINITY
  if (declared !== undefined && Number(declared) > limit) throw uploadTooLarge(limit)
  if (declared !== undefined && Number(declared) <= SMALL_BODY_BYTES) {
    exchange.continueBody()
    const body = await readBody(request, Number(declared))
    tally.receivedBytes = body.length
    await disk.storeFile(base, components, body, options)
    return
  }
  const file = await disk.openNewFile(base, components, options.mode)
  try {
    exchange.continueBody()
    tally.receivedBytes = await writeBody(request, file.fd, limit)
  } catch (error) {
    await disk.discardNewFile(file)
    throw error
  }
  await disk.commitNewFile(file, options.sync)
}
