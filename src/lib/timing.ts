/** Resolves after `ms`, or at once when the signal aborts; never rejects. Does not keep the process alive. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    timer.unref()
    signal.addEventListener('abort', done, { once: true })
  })
}

/** Delay before attempt `n` (from 0): doubling from `firstMs` up to `maxMs`, with a quarter of jitter. */
export function backoffMs(n: number, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(n, 20)) * (0.875 + Math.random() / 4)
}
