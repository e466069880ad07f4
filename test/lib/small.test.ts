import { describe, expect, it } from 'vitest'
import { createKeyedLock } from '../../src/lib/keyed-lock.js'
import { createLimit } from '../../src/lib/limit.js'
import { createRecent } from '../../src/lib/recent.js'
import { quoteForShell } from '../../src/lib/shell.js'
import { backoffMs, pause } from '../../src/lib/timing.js'

describe('createKeyedLock', () => {
  it('runs tasks of one key in turn, also after a failure, and of two keys side by side', async () => {
    const lock = createKeyedLock()
    const seen: string[] = []
    let release = (): void => {}
    const held = lock.run('a', () =>
      new Promise<void>((resolve) => (release = resolve)).then(() => void seen.push('a1')),
    )
    const failing = lock.run('a', () => Promise.reject(new Error('no')))
    const third = lock.run('a', async () => void seen.push('a3'))
    await lock.run('b', async () => void seen.push('b'))
    release()
    await held
    await expect(failing).rejects.toThrow('no')
    await third
    expect(seen).toEqual(['b', 'a1', 'a3'])
  })
})

describe('createLimit', () => {
  it('runs no more than so many at once, in order', async () => {
    const limit = createLimit(2)
    let running = 0
    let most = 0
    const order: number[] = []
    await Promise.all(
      [1, 2, 3, 4, 5].map((each) =>
        limit(async () => {
          most = Math.max(most, ++running)
          order.push(each)
          await Promise.resolve()
          running--
        }),
      ),
    )
    expect(most).toBe(2)
    expect(order).toEqual([1, 2, 3, 4, 5])
  })
})

describe('createRecent', () => {
  it('forgets the oldest', () => {
    const recent = createRecent<number>(2)
    recent.set('a', 1)
    recent.set('b', 2)
    recent.set('a', 3)
    recent.set('c', 4)
    expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([3, undefined, 4])
  })
})

describe('quoteForShell', () => {
  it.each([
    ['plain/path-1.txt', 'plain/path-1.txt'],
    ['', "''"],
    ['a b', "'a b'"],
    ["it's", "'it'\\''s'"],
    ['$(x)', "'$(x)'"],
  ])('quotes %j', (text, quoted) => expect(quoteForShell(text)).toBe(quoted))
})

describe('pause and backoffMs', () => {
  it('ends a pause at once when the signal aborts', async () => {
    const abort = new AbortController()
    const paused = pause(3_600_000, abort.signal)
    abort.abort()
    await paused
    await pause(3_600_000, abort.signal)
  })

  it('doubles up to the maximum, give or take a quarter', () => {
    expect(backoffMs(0, 100, 1000)).toBeGreaterThanOrEqual(87)
    expect(backoffMs(3, 100, 1000)).toBeLessThanOrEqual(900)
    expect(backoffMs(60, 100, 1000)).toBeLessThanOrEqual(1125)
  })
})
