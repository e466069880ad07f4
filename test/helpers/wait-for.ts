import { type EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

interface WaitOptions {
  /** Stands in the error: "no <what> within 10000 ms". */
  readonly what: string
  readonly timeoutMs?: number
}

const defaultTimeoutMs = 10_000
const pauseMs = 10
const longestPauseMs = 250

/**
 * Asks until the answer is neither false nor undefined, and returns it. For what gives no event to wait for; the deadline is only
 * there to end a test that fails.
 */
export async function waitFor<T>(
  ask: () => T | false | undefined | Promise<T | false | undefined>,
  { what, timeoutMs = defaultTimeoutMs }: WaitOptions,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const askedMs = performance.now()
    const answer = await ask()
    if (answer !== false && answer !== undefined) return answer
    const nowMs = performance.now()
    if (nowMs > deadlineMs) throw new Error(`no ${what} within ${timeoutMs} ms`)
    // A question that starts a process keeps what it waits for from running.
    await delay(Math.min(longestPauseMs, Math.max(pauseMs, 2 * (nowMs - askedMs))))
  }
}

/** The arguments of the next `name` event. */
export async function waitForEvent(
  emitter: EventEmitter,
  name: string,
  { what, timeoutMs = defaultTimeoutMs }: WaitOptions,
): Promise<unknown[]> {
  try {
    return await once(emitter, name, { signal: AbortSignal.timeout(timeoutMs) })
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError')
      throw new Error(`no ${what} within ${timeoutMs} ms`)
    throw error
  }
}
