/**
 * The result of `work`, which itself ends soon after the signal aborts; when a file system that hangs keeps it from that, the signal's
 * reason after `graceMs`. What is still under way then cleans up after itself whenever it comes back.
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal, graceMs = 2000): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const onAbort = (): void => {
      timer = setTimeout(() => reject(signal.reason), graceMs)
    }
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(done)
  })
}
