import { setMaxListeners } from 'node:events'
import { pause } from '../lib/timing.js'
import { type RetryPolicy, retryDelayMs } from './retry-policy.js'
import { TransferError } from './transfer-error.js'

/** One file to be moved. */
export interface Transfer {
  readonly retries: RetryPolicy
  /**
   * One attempt. `leavePlace`: what is left to do needs no connection, another transfer may begin. `kept`: so many bytes of the
   * file are where the next attempt goes on; when they are more than ever before, the attempts that are left count anew.
   * @throws TransferError; anything else is a mistake of ours and not tried again
   */
  attempt(signal: AbortSignal, leavePlace: () => void, kept: (bytes: number) => void): Promise<void>
  /** Told before the wait for the next attempt. */
  onRetry?(error: TransferError, delayMs: number): void
  /** It failed for good; the others of the job go on. Without this they end. */
  onGiveUp?(error: unknown): void
}

export interface TransferQueue {
  /**
   * Runs the transfers of one job: so many of it at once, so many of all jobs, turn by turn between the jobs. A transfer that
   * waits for its next attempt takes no place. Ends at the first that fails for good (and has no onGiveUp) and rejects with its error, or with the
   * signal's reason; no attempt of the job is under way any more by then.
   */
  run(transfers: readonly Transfer[], signal: AbortSignal): Promise<void>
}

interface Attempts {
  readonly transfer: Transfer
  /** All of them. */
  tried: number
  /** Since one that got further. */
  failed: number
  failingSinceMs: number
  /** The most bytes that an attempt left for the next, and that one before the present did. */
  keptBytes: number
  keptBefore: number
}

/** The transfers of one job. */
interface Batch {
  readonly waiting: Attempts[]
  readonly stopping: AbortController
  /** Places taken, and attempts under way, with a place or without. */
  places: number
  running: number
  pausing: number
  failure: { readonly error: unknown } | undefined
  readonly done: () => void
}

/** Attempts of the node that have left their places, and hold files that the disk has not taken yet. */
const MAX_WITHOUT_PLACE = 24

/** At most `atOnce` transfers for the whole node, `perJob` of each job. */
export function createTransferQueue(limits: { atOnce: number; perJob: number }): TransferQueue {
  /** Batches with something to start, in the order of their next turn. */
  const turns: Batch[] = []
  let places = 0
  let withoutPlace = 0

  function startMore(): void {
    while (places < limits.atOnce) {
      const at = turns.findIndex((batch) => batch.places < limits.perJob)
      const batch = at < 0 ? undefined : turns.splice(at, 1)[0]
      const next = batch?.waiting.shift()
      if (!batch || !next) return
      if (batch.waiting.length > 0) turns.push(batch)
      places++
      batch.places++
      batch.running++
      void work(batch, next)
    }
  }

  async function work(batch: Batch, attempts: Attempts): Promise<void> {
    let failure: { readonly error: unknown } | undefined
    let hasPlace = true
    const leavePlace = (): void => {
      if (!hasPlace || withoutPlace >= MAX_WITHOUT_PLACE) return
      hasPlace = false
      withoutPlace++
      places--
      batch.places--
      startMore()
    }
    try {
      await attempts.transfer.attempt(batch.stopping.signal, leavePlace, (bytes) => {
        attempts.keptBytes = Math.max(attempts.keptBytes, bytes)
      })
    } catch (error) {
      failure = { error }
    }
    if (hasPlace) {
      places--
      batch.places--
    } else withoutPlace--
    batch.running--
    if (failure && !batch.stopping.signal.aborted) again(batch, attempts, failure.error)
    settle(batch)
    startMore()
  }

  function again(batch: Batch, attempts: Attempts, error: unknown): void {
    attempts.tried++
    if (attempts.keptBytes > attempts.keptBefore) attempts.failed = 0
    attempts.keptBefore = attempts.keptBytes
    attempts.failed++
    if (attempts.failed === 1) attempts.failingSinceMs = Date.now()
    const { transfer, failed, failingSinceMs } = attempts
    const delayMs =
      error instanceof TransferError && error.transient
        ? retryDelayMs(transfer.retries, failed, Date.now() - failingSinceMs, error.retryAfterMs)
        : undefined
    if (delayMs === undefined) {
      const told = withTries(error, attempts)
      if (transfer.onGiveUp) {
        transfer.onGiveUp(told)
        return
      }
      batch.failure = { error: told }
      stop(batch)
      return
    }
    transfer.onRetry?.(error as TransferError, delayMs)
    batch.pausing++
    void pause(delayMs, batch.stopping.signal).then(() => {
      batch.pausing--
      if (!batch.stopping.signal.aborted) {
        batch.waiting.push(attempts)
        if (!turns.includes(batch)) turns.push(batch)
      }
      settle(batch)
      startMore()
    })
  }

  function stop(batch: Batch): void {
    batch.waiting.length = 0
    const at = turns.indexOf(batch)
    if (at >= 0) turns.splice(at, 1)
    batch.stopping.abort()
  }

  function settle(batch: Batch): void {
    if (batch.running === 0 && batch.pausing === 0 && batch.waiting.length === 0) batch.done()
  }

  return {
    async run(transfers, signal) {
      signal.throwIfAborted()
      if (transfers.length === 0) return
      const { promise, resolve } = deferred()
      const batch: Batch = {
        waiting: transfers.map((transfer) => ({
          transfer,
          tried: 0,
          failed: 0,
          failingSinceMs: 0,
          keptBytes: 0,
          keptBefore: 0,
        })),
        stopping: newController(),
        places: 0,
        running: 0,
        pausing: 0,
        failure: undefined,
        done: resolve,
      }
      const onAbort = (): void => {
        stop(batch)
        settle(batch)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      turns.push(batch)
      startMore()
      await promise
      signal.removeEventListener('abort', onAbort)
      signal.throwIfAborted()
      if (batch.failure) throw batch.failure.error
    },
  }
}

function withTries(error: unknown, { tried, failed }: Attempts): unknown {
  if (!(error instanceof TransferError) || tried === 1) return error
  const since = failed < tried ? `, ${failed} times without getting any further` : ''
  return error.reworded(`${error.message} (tried ${tried} times${since})`)
}

/** Every transfer of a job listens to it, which Node takes for a leak from the eleventh on. */
function newController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
