import { expect, it } from 'vitest'
import { createLogNumbers } from '../../src/store/log-numbers.js'
import { logKey } from '../../src/store/store.js'

const append = (value: string) => ({ type: 'append', log: 'l', value }) as const

it('what a failed write may have left is replaced or removed by the next one that succeeds', async () => {
  const numbers = createLogNumbers(async () => 4)
  const failed = await numbers.key([append('a'), append('b'), append('c')])
  failed.forget()
  const again = await numbers.key([append('a')])
  again.forget()
  const { keyed } = await numbers.key([append('a')])
  expect(keyed).toEqual([
    { type: 'put', key: logKey('l', 5), value: 'a' },
    { type: 'del', key: logKey('l', 6) },
    { type: 'del', key: logKey('l', 7) },
  ])
  const next = await numbers.key([append('d')])
  expect(next.keyed).toEqual([{ type: 'put', key: logKey('l', 6), value: 'd' }])
})
