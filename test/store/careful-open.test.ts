import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { openLevelStore } from '../../src/store/level-store.js'
import { tempDirectory } from '../helpers/temp-directory.js'

let directory: string

beforeEach(async () => {
  // A name with "lock" in it, as in what LevelDB says of a database that another has open.
  directory = path.join(await tempDirectory(), 'blocks')
  const store = await openLevelStore(directory)
  await store.write([{ type: 'put', key: 'a', value: 1 }])
  await store.close()
})

const names = (): string[] => fs.readdirSync(directory).sort()
const newestLog = (): string =>
  path.join(directory, names().findLast((name) => name.endsWith('.log')) ?? 'none')

async function stored(key: string): Promise<unknown> {
  const store = await openLevelStore(directory)
  try {
    return await store.get(key)
  } finally {
    await store.close()
  }
}

it('records that cannot be read for a while are not forgotten', async () => {
  const log = newestLog()
  fs.renameSync(log, `${log}.aside`)
  // Can be opened, and not read.
  fs.symlinkSync('/proc/self/mem', log)
  const before = names()
  await expect(openLevelStore(directory)).rejects.toMatchObject({
    code: 'STORE_BROKEN',
    message: expect.stringContaining('Input/output error'),
  })
  expect(names().filter((name) => name !== 'LOG.old')).toEqual(before.filter((name) => name !== 'LOG.old'))
  fs.renameSync(`${log}.aside`, log)
  expect(await stored('a')).toBe(1)
})

it('trouble that is over when it is tried again is not noticed', async () => {
  const log = newestLog()
  const { linkSync } = fs
  let links = 0
  fs.renameSync(log, `${log}.aside`)
  fs.symlinkSync('/proc/self/mem', log)
  // The second time all files are kept, the log is back.
  vi.spyOn(fs, 'linkSync').mockImplementation((from, to) => {
    if (String(from).endsWith('CURRENT') && ++links === 3) fs.renameSync(`${log}.aside`, log)
    linkSync(from, to)
  })
  onTestFinished(() => void vi.restoreAllMocks())
  expect(await stored('a')).toBe(1)
  expect(links).toBe(3)
})

it('a store whose opening was cut off is as it was before', async () => {
  const kept = path.join(directory, 'magnetar-kept')
  const data = names().filter((name) => /^(\d|MANIFEST|CURRENT)/.test(name))
  fs.mkdirSync(kept)
  for (const name of data) fs.linkSync(path.join(directory, name), path.join(kept, name))
  // As LevelDB leaves it when it could not read its log.
  fs.rmSync(newestLog())
  expect(await stored('a')).toBe(1)
  expect(names()).not.toContain('magnetar-kept')
})

it('what is written after it was opened is never taken back', async () => {
  const store = await openLevelStore(directory)
  expect(names().filter((name) => name.includes('kept'))).toEqual([])
  await store.write([{ type: 'put', key: 'a', value: 2 }])
  await store.close()
  expect(await stored('a')).toBe(2)
})

it('another server that tries to open it leaves nothing that its owner would take up', async () => {
  const store = await openLevelStore(directory)
  await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  expect(names().filter((name) => name.includes('kept'))).toEqual([])
  await store.write([{ type: 'put', key: 'a', value: 2 }])
  await store.close()
  expect(await stored('a')).toBe(2)
})
