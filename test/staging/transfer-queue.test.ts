import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { DEFAULT_RETRIES, type RetryPolicy, retryDelayMs } from '../../src/staging/retry-policy.js'
import { TransferError } from '../../src/staging/transfer-error.js'
import { createTransferQueue, type Transfer } from '../../src/staging/transfer-queue.js'
import { waitFor } from '../helpers/wait-for.js'

const quick: RetryPolicy = {
  maxRetries: 3,
  intervalStartMs: 1,
  intervalStepMs: 0,
  intervalMaxMs: 1,
  limitMs: 60_000,
}
const never = new AbortController().signal

/** Transfers that end when told to. */
function held(count: number, retries: RetryPolicy = quick) {
  const started: number[] = []
  const release: (() => void)[] = []
  const transfers: Transfer[] = Array.from({ length: count }, (_, index) => ({
    retries,
    attempt: (signal) => {
      started.push(index)
      return new Promise((resolve, reject) => {
        release[index] = resolve
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    },
  }))
  return { transfers, started, release }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('the queue of transfers', () => {
  it('keeps both limits', async () => {
    const queue = createTransferQueue({ atOnce: 3, perJob: 2 })
    const [a, b] = [held(5), held(5)]
    const done = Promise.all([queue.run(a.transfers, never), queue.run(b.transfers, never)])
    expect([a.started, b.started]).toEqual([[0, 1], [0]])
    for (let index = 0; index < 5; index++) {
      for (const job of [a, b]) {
        job.release[index]?.()
        await turn()
        const underWay = [a, b].map(
          (each) => each.started.length - (each === job || job === b ? index + 1 : index),
        )
        expect(Math.max(...underWay)).toBeLessThanOrEqual(2)
      }
    }
    await done
    expect([a.started.length, b.started.length]).toEqual([5, 5])
  })

  it('lets a job of one file go between the files of a job of many', async () => {
    const queue = createTransferQueue({ atOnce: 1, perJob: 1 })
    const [many, one] = [held(1000), held(1)]
    const cancel = new AbortController()
    const manyDone = queue.run(many.transfers, cancel.signal).catch((error: unknown) => error)
    const oneDone = queue.run(one.transfers, never)
    for (const index of [0, 1]) {
      many.release[index]?.()
      await turn()
    }
    expect([many.started, one.started]).toEqual([[0, 1], [0]])
    one.release[0]?.()
    await oneDone
    cancel.abort(new Error('cancelled'))
    expect(await manyDone).toMatchObject({ message: 'cancelled' })
  })

  it('lets others begin while the disk has not taken what arrived, but not without a limit', async () => {
    const queue = createTransferQueue({ atOnce: 2, perJob: 1 })
    let begun = 0
    let stored = (): void => {}
    const storing = new Promise<void>((done) => {
      stored = done
    })
    const transfers = Array.from({ length: 50 }, () => ({
      retries: quick,
      attempt: async (_signal: AbortSignal, leavePlace: () => void) => {
        begun++
        leavePlace()
        leavePlace()
        await storing
      },
    }))
    let isOver = false
    const running = queue.run(transfers, new AbortController().signal).then(() => {
      isOver = true
    })
    await waitFor(() => begun === 25, { what: '24 that wait for the disk, and one that holds its place' })
    expect(isOver).toBe(false)
    stored()
    await running
    expect(begun).toBe(50)
  })

  it('tries a transient failure again without holding a place meanwhile', async () => {
    const queue = createTransferQueue({ atOnce: 1, perJob: 1 })
    const order: string[] = []
    let failures = 2
    const failing: Transfer = {
      retries: quick,
      async attempt() {
        order.push('failing')
        if (failures-- > 0) throw new TransferError('busy', { transient: true })
      },
      onRetry: (error, delayMs) => order.push(`${error.message} ${delayMs > 0}`),
    }
    const other: Transfer = { retries: quick, attempt: async () => void order.push('other') }
    await Promise.all([queue.run([failing], never), queue.run([other], never)])
    expect(order.slice(0, 3)).toEqual(['failing', 'busy true', 'other'])
    expect(order.filter((word) => word === 'failing')).toHaveLength(3)
  })

  it('ends the job at the first failure for good, and only that job', async () => {
    const queue = createTransferQueue({ atOnce: 8, perJob: 4 })
    const mine = held(10)
    const broken: Transfer = {
      retries: quick,
      attempt: async () =>
        Promise.reject(new TransferError('no such file', { transient: false, status: 404 })),
    }
    const other = held(1)
    const otherDone = queue.run(other.transfers, never)
    await expect(
      queue.run([...mine.transfers.slice(0, 2), broken, ...mine.transfers.slice(2)], never),
    ).rejects.toThrow('no such file')
    expect(mine.started.length).toBeLessThanOrEqual(4)
    other.release[0]?.()
    await otherDone
  })

  it('gives up when the retries are used up', async () => {
    const queue = createTransferQueue({ atOnce: 1, perJob: 1 })
    let attempts = 0
    const failing: Transfer = {
      retries: quick,
      async attempt() {
        attempts++
        throw new TransferError('busy', { transient: true })
      },
    }
    await expect(queue.run([failing], never)).rejects.toThrow('busy')
    expect(attempts).toBe(4)
  })

  it('does not count attempts before one that got further, and says how often it was tried', async () => {
    const queue = createTransferQueue({ atOnce: 1, perJob: 1 })
    const outcome = async (bytesAfter: (attempt: number) => number): Promise<[number, unknown]> => {
      let attempts = 0
      const failing: Transfer = {
        retries: quick,
        async attempt(_signal, _leavePlace, kept) {
          attempts++
          kept(bytesAfter(attempts))
          throw new TransferError('cut', { transient: true, status: 503 })
        },
      }
      const error = await queue.run([failing], never).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ name: 'TransferError', transient: true, status: 503 })
      return [attempts, (error as Error).message]
    }
    expect(await outcome(() => 0)).toEqual([4, 'cut (tried 4 times)'])
    // What is sent anew each time is no progress, nor what only comes back to where it was.
    expect(await outcome(() => 900)).toEqual([4, 'cut (tried 4 times)'])
    expect(await outcome((attempt) => [0, 700, 1, 500, 699][attempt] ?? 700)).toEqual([
      4,
      'cut (tried 4 times)',
    ])
    const [attempts, words] = await outcome((attempt) => Math.min(attempt, 20) * 1000)
    expect([attempts, words]).toEqual([23, 'cut (tried 23 times, 4 times without getting any further)'])
  })

  it('counts the limit of time from the last attempt that got further', async () => {
    vi.useFakeTimers({ now: 0 })
    onTestFinished(() => void vi.useRealTimers())
    const queue = createTransferQueue({ atOnce: 1, perJob: 1 })
    let attempts = 0
    let isStuck = false
    const failing: Transfer = {
      retries: { ...DEFAULT_RETRIES, limitMs: 60_000 },
      async attempt(_signal, _leavePlace, kept) {
        attempts++
        kept(isStuck ? 1 : attempts)
        throw new TransferError('cut', { transient: true })
      },
    }
    let error: unknown
    const done = queue.run([failing], never).catch((reason: unknown) => {
      error = reason
    })
    await vi.advanceTimersByTimeAsync(100 * 2500)
    expect(error).toBeUndefined()
    expect(attempts).toBeGreaterThan(90)
    isStuck = true
    await vi.advanceTimersByTimeAsync(300_000)
    await done
    expect(String(error)).toMatch(/cut \(tried \d+ times, \d+ times without getting any further\)/)
  })

  it('stops at once when it is cancelled, in an attempt or between two', async () => {
    const queue = createTransferQueue({ atOnce: 2, perJob: 2 })
    const cancel = new AbortController()
    const waiting: Transfer = {
      retries: { ...quick, intervalStartMs: 3_600_000, intervalMaxMs: 3_600_000, limitMs: Infinity },
      attempt: async () => Promise.reject(new TransferError('busy', { transient: true })),
    }
    const under = held(1)
    const done = queue.run([waiting, ...under.transfers], cancel.signal)
    await turn()
    cancel.abort(new Error('cancelled'))
    await expect(done).rejects.toThrow('cancelled')
    const after = held(2)
    const afterDone = queue.run(after.transfers, never)
    expect(after.started).toEqual([0, 1])
    for (const release of after.release) release()
    await afterDone
  })
})

describe('the delay before a new attempt', () => {
  it('grows by the step up to the maximum, with a quarter of jitter', () => {
    for (const [retry, plain] of [
      [1, 2000],
      [2, 4000],
      [15, 30_000],
      [1000, 30_000],
    ] as const) {
      for (let round = 0; round < 50; round++) {
        const delay = retryDelayMs(DEFAULT_RETRIES, retry, 0) ?? 0
        expect(delay).toBeGreaterThanOrEqual(plain * 0.75)
        expect(delay).toBeLessThanOrEqual(plain * 1.25)
      }
    }
  })

  it('is not shorter than the server asked for, and ends at the limits', () => {
    expect(retryDelayMs(DEFAULT_RETRIES, 1, 0, 120_000)).toBe(120_000)
    expect(retryDelayMs(DEFAULT_RETRIES, 5, 24 * 3600_000)).toBeUndefined()
    expect(retryDelayMs({ ...DEFAULT_RETRIES, maxRetries: 2 }, 3, 0)).toBeUndefined()
    expect(retryDelayMs({ ...DEFAULT_RETRIES, maxRetries: 0 }, 1, 0)).toBeUndefined()
  })
})
