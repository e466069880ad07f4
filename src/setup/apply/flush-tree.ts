import { CommandNotStarted, type CommandResult, runCommand } from '../../lib/exec.js'

const TIMEOUT_MS = 60_000

/**
 * Puts everything below `directory` on the disk, by one call of `sync -f`: an fsync of each of some hundred files would take seconds.
 * What cannot be flushed is left to the kernel: the tree is complete, only a power cut could still hurt it.
 */
export async function flushTree(directory: string, signal: AbortSignal): Promise<void> {
  const sync = (args: readonly string[]): Promise<CommandResult | undefined> =>
    runCommand('sync', args, { timeoutMs: TIMEOUT_MS, signal }).catch((error: unknown) => {
      if (error instanceof CommandNotStarted) return undefined
      throw error
    })
  const some = await sync(['-f', directory])
  // Before coreutils 8.24, and in some busyboxes, sync knows no -f: then all file systems.
  if (some && some.code !== 0) await sync([])
}
