import { setTimeout as delay } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { LATER_MS, logNumber, type Store } from '../../src/store/store.js'

/** What every Store must do. `open` gives a new, empty one each time. */
export function describeStore(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store

    beforeEach(async () => {
      store = await open()
      return () => store.close()
    })

    const all = async (prefix: string): Promise<unknown[]> => {
      const found: unknown[] = []
      for await (const entry of store.entries(prefix)) found.push(entry)
      return found
    }

    it('gives back what was written, and undefined for what was not', async () => {
      await store.write([{ type: 'put', key: 'a', value: { n: 1, text: 'ü' } }])
      expect(await store.get('a')).toEqual({ n: 1, text: 'ü' })
      expect(await store.get('b')).toBeUndefined()
    })

    it('replaces and deletes in one write', async () => {
      await store.write([{ type: 'put', key: 'active/1', value: 1 }])
      await store.write([
        { type: 'del', key: 'active/1' },
        { type: 'put', key: 'ended/1', value: 2 },
      ])
      expect(await store.get('active/1')).toBeUndefined()
      expect(await store.get('ended/1')).toBe(2)
    })

    it('lists the entries of a prefix in order, and no others', async () => {
      await store.write(
        ['p/b', 'p/a', 'q/c', 'p0', 'o'].map((key) => ({ type: 'put', key, value: key }) as const),
        { lazy: true },
      )
      expect(await all('p/')).toEqual([
        ['p/a', 'p/a'],
        ['p/b', 'p/b'],
      ])
      expect(await all('nothing/')).toEqual([])
    })

    it('keeps every one of many writes made at once', async () => {
      const keys = Array.from({ length: 200 }, (_, index) => `k/${index}`)
      await Promise.all(keys.map((key) => store.write([{ type: 'put', key, value: key }])))
      expect(await all('k/')).toHaveLength(200)
    })

    it('numbers the entries of a log without a gap, however they are written', async () => {
      const write = (value: number, options = {}) =>
        store.write(
          [
            { type: 'append', log: 'log', value },
            { type: 'put', key: `other/${value}`, value },
          ],
          options,
        )
      await Promise.all(
        Array.from({ length: 60 }, (_, value) =>
          write(value, [{}, { lazy: true }, { later: true }][value % 3]),
        ),
      )
      const entries = (await all('log/')) as [string, number][]
      expect(entries.map(([key]) => logNumber(key))).toEqual(Array.from({ length: 60 }, (_, at) => at + 1))
      expect(new Set(entries.map(([, value]) => value)).size).toBe(60)
      expect(await store.lastNumber('log')).toBe(60)
      expect(await store.lastNumber('nothing')).toBe(0)
    })

    it('writes what can come later without another write', async () => {
      await store.write([{ type: 'put', key: 'a', value: 1 }], { later: true })
      expect(await store.get('a')).toBe(1)
    })

    it('goes on after what could come later went along with another write', async () => {
      const put = { type: 'put', key: 'a', value: 1 } as const
      const others = [store.write([put]), store.write([put])]
      await Promise.all([...others, store.write([put], { later: true })])
      // The time of what could come later is over, and nothing is left to write.
      await delay(2 * LATER_MS)
      await store.write([{ type: 'put', key: 'b', value: 2 }])
      expect(await store.get('b')).toBe(2)
    })

    it('does not change what was written when the object changes later', async () => {
      const value = { n: 1 }
      await store.write([{ type: 'put', key: 'a', value }])
      value.n = 2
      expect(await store.get('a')).toEqual({ n: 1 })
    })
  })
}
