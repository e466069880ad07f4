import { createForWrite } from '../lib/confined-file.js'
import { writeBody } from './body.js'
import type { Exchange } from './types.js'

export interface UploadOptions {
  readonly mode?: number
  readonly sync?: boolean
}

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
  const file = await createForWrite(base, components, options.mode)
  try {
    exchange.continueBody()
    exchange.tally.receivedBytes = await writeBody(exchange.request, file.fd)
  } catch (error) {
    await file.discard()
    throw error
  }
  await file.commit({ sync: options.sync ?? false })
}
