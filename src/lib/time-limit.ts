export interface TimeLimit {
  /** Aborts with the caller's signal, with its reason, or when the time is up. */
  readonly signal: AbortSignal
  /** Whether the time was up before the caller's signal aborted. */
  readonly isUp: () => boolean
  /** To be called when what is limited is over. */
  release(): void
}

/**
 * A signal that aborts after `ms` at the latest. Not AbortSignal.any() with AbortSignal.timeout(): in Node 20 the garbage collector
 * takes the timeout away from under the signal made of both, which then never aborts (nodejs/node#57736).
 */
export function limitTime(signal: AbortSignal | undefined, ms: number): TimeLimit {
  const controller = new AbortController()
  let up = false
  const follow = (): void => controller.abort(signal?.reason)
  const timer = setTimeout(() => {
    up = !controller.signal.aborted
    controller.abort(new DOMException(`not done within ${ms / 1000} s`, 'TimeoutError'))
  }, ms)
  if (signal?.aborted) follow()
  signal?.addEventListener('abort', follow, { once: true })
  return {
    signal: controller.signal,
    isUp: () => up,
    release() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', follow)
    },
  }
}

/**
 * A signal that aborts after `ms`, for what has no caller's signal; it keeps no process alive. Not AbortSignal.timeout(), for the same
 * reason: whoever is given it may put it into AbortSignal.any().
 */
export function abortAfter(ms: number): AbortSignal {
  const controller = new AbortController()
  // The timer holds the controller, so that nothing takes it away before.
  setTimeout(
    () => controller.abort(new DOMException(`not done within ${ms / 1000} s`, 'TimeoutError')),
    ms,
  ).unref()
  return controller.signal
}
