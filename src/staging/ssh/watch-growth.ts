import fs from 'node:fs/promises'
import { TransferError } from '../transfer-error.js'
import { pathOfOurs } from './key-file.js'

const LOOK_EVERY_MS = 1000

export interface GrowthWatch {
  /** Aborts with the outer signal, or with a TransferError when nothing has arrived for too long. */
  readonly signal: AbortSignal
  /** Bytes that were reported. */
  reported(): number
  stop(): void
}

/**
 * Reports how a file grows that another program writes, and notices when it no longer does.
 * @param stallMs undefined: the program itself notices
 */
export function watchGrowth(
  fd: number,
  size: number,
  options: {
    readonly signal: AbortSignal
    readonly stallMs?: number
    readonly doing: string
    readonly lookEveryMs?: number
    progress(bytes: number): void
  },
): GrowthWatch {
  const stalled = new AbortController()
  let last = size
  let lastMs = performance.now()
  let looking = false
  let stopped = false

  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    const now = await fs.stat(pathOfOurs(fd)).then(
      (stats) => stats.size,
      () => last,
    )
    looking = false
    if (stopped) return
    if (now > last) {
      options.progress(now - last)
      last = now
      lastMs = performance.now()
    } else if (options.stallMs !== undefined && performance.now() - lastMs > options.stallMs) {
      const minutes = Math.round(options.stallMs / 60_000)
      const words = `${options.doing}: nothing has arrived for ${minutes} minutes`
      stalled.abort(new TransferError(words, { transient: true }))
    }
  }
  const timer = setInterval(() => void look(), options.lookEveryMs ?? LOOK_EVERY_MS)
  timer.unref()
  return {
    signal: AbortSignal.any([options.signal, stalled.signal]),
    reported: () => last - size,
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}
