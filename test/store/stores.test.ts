import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openLevelStore } from '../../src/store/level-store.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import { describeStore } from '../conformance/store.js'
import { tempDirectory } from '../helpers/temp-directory.js'

describeStore('the LevelDB store', async () => openLevelStore(path.join(await tempDirectory(), 'store')))
describeStore('the store in memory', async () => openMemoryStore())

describe('the LevelDB store on disk', () => {
  it('has what was written when it is opened again', async () => {
    const directory = path.join(await tempDirectory(), 'store')
    const first = await openLevelStore(directory)
    await first.write([{ type: 'put', key: 'a', value: 1 }])
    await first.close()
    const second = await openLevelStore(directory)
    expect(await second.get('a')).toBe(1)
    await second.close()
  })

  it('is open in one place at a time', async () => {
    const directory = path.join(await tempDirectory(), 'store')
    const first = await openLevelStore(directory)
    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await first.close()
  })

  it('says what is wrong with a directory that is none', async () => {
    const file = path.join(await tempDirectory(), 'file')
    writeFileSync(file, '')
    chmodSync(file, 0o600)
    await expect(openLevelStore(file)).rejects.toMatchObject({ code: 'STORE_BROKEN' })
  })
})
