import fs, { chmodSync, existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
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

  it('has its name only when all of it is on the disk', async () => {
    const parent = await tempDirectory()
    const directory = path.join(parent, 'store')
    mkdirSync(path.join(parent, '.store.magnetar-new'))
    writeFileSync(path.join(parent, '.store.magnetar-new', 'CURRENT'), 'MANIFEST-that-is-not-there')
    const steps: string[] = []
    const { renameSync, fsyncSync } = fs
    vi.spyOn(fs, 'fsyncSync').mockImplementation((fd) => {
      steps.push(path.basename(readlinkSync(`/proc/self/fd/${fd}`)).replace(/-\d+$/, ''))
      fsyncSync(fd)
    })
    vi.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
      if (to === directory) {
        steps.push('rename')
        expect(existsSync(directory)).toBe(false)
      }
      renameSync(from, to)
    })
    onTestFinished(() => void vi.restoreAllMocks())
    const store = await openLevelStore(directory)
    await store.close()
    const before = steps.slice(0, steps.indexOf('rename'))
    for (const name of ['MANIFEST', 'CURRENT', '.store.magnetar-new']) expect(before).toContain(name)
    expect(steps[steps.indexOf('rename') + 1]).toBe(path.basename(parent))
    expect(readdirSync(parent)).toEqual(['store'])
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
