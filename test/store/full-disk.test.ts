import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openLevelStore } from '../../src/store/level-store.js'
import { logKey } from '../../src/store/store.js'
import { mountSmallDisk } from '../chaos/small-disk.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const MIB = 1024 * 1024

it('can be read while its disk is full, and is written again, with what nobody waited for, as soon as there is space', async (context) => {
  const directory = path.join(await tempDirectory(), 'disk')
  const disk = mountSmallDisk(directory, 4)
  if (!disk) return context.skip('mounting is not permitted here')
  onTestFinished(() => disk.unmount())
  const store = await openLevelStore(path.join(directory, 'store'))
  onTestFinished(() => store.close())
  await store.write([{ type: 'put', key: 'a', value: 1 }])

  const other = path.join(directory, 'other')
  expect(() => writeFileSync(other, Buffer.alloc(8 * MIB))).toThrow(/ENOSPC/)
  const note = store.write([{ type: 'append', log: 'log', value: 'noted meanwhile' }], { later: true })
  const big = { type: 'put', key: 'b', value: randomBytes(MIB).toString('hex') } as const
  for (let times = 0; times < 3; times++) {
    await expect(store.write([big])).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await store.get('a')).toBe(1)
  }

  rmSync(other)
  await store.write([{ type: 'put', key: 'c', value: 3 }])
  expect(await store.get('a')).toBe(1)
  expect(await store.get('c')).toBe(3)
  await note
  expect(await store.get(logKey('log', 1))).toBe('noted meanwhile')
})
