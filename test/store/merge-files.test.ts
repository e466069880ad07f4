import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { ClassicLevel } from 'classic-level'
import { expect, it, onTestFinished, vi } from 'vitest'
import { openLevelStore } from '../../src/store/level-store.js'
import { logKey } from '../../src/store/store.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const OPENED = 80

/** A store as servers leave it that each ended right after their start. */
async function openOften(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true })
  for (let time = 1; time <= OPENED; time++) {
    const db = new ClassicLevel<string, unknown>(directory, { valueEncoding: 'json' })
    await db.open()
    await db.put(logKey('journal', time), { time })
    await db.close()
  }
}

function countFiles(directory: string): number {
  return readdirSync(directory).filter((name) => name.endsWith('.ldb')).length
}

async function countEntries(directory: string): Promise<number> {
  const store = await openLevelStore(directory)
  try {
    let found = 0
    for await (const [key] of store.entries('')) if (key.startsWith('journal/')) found++
    return found
  } finally {
    await store.close()
  }
}

it('a store that is opened again and again does not get ever more files', async () => {
  const directory = path.join(await tempDirectory(), 'store')
  await openOften(directory)
  expect(countFiles(directory)).toBeGreaterThan(64)
  expect(await countEntries(directory)).toBe(OPENED)
  expect(countFiles(directory)).toBeLessThan(5)
  expect(await countEntries(directory)).toBe(OPENED)
}, 60_000)

it('is opened with its many files where they cannot be merged', async () => {
  const directory = path.join(await tempDirectory(), 'store')
  await openOften(directory)
  const merging = vi.spyOn(ClassicLevel.prototype, 'compactRange').mockRejectedValue(new Error('ENOSPC'))
  onTestFinished(() => merging.mockRestore())
  expect(await countEntries(directory)).toBe(OPENED)
  expect(merging).toHaveBeenCalledTimes(1)
}, 60_000)
