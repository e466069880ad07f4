import type { NewFile } from '../lib/confined-file.js'
import { commitSynced, syncFile } from './http/disk.js'

/**
 * Puts a complete file on disk and gives it its name; both survive a power cut afterwards. When the signal has aborted it goes to
 * `leave` instead. On failure nothing is left.
 * @throws TransferError; the signal's reason
 */
export async function commitUnlessAborted<T extends NewFile>(
  file: T,
  signal: AbortSignal,
  leave: (file: T) => Promise<void>,
): Promise<void> {
  await syncFile(file)
  if (signal.aborted) {
    await leave(file)
    throw signal.reason
  }
  await commitSynced(file)
}
