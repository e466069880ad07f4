import { expect, it } from 'vitest'
import { tempDirectory } from '../helpers/temp-directory.js'
import { runHostileFiles } from './hostile-files.js'

const FOR_MS = 6000

it('a tool that swaps its files and directories for links gets nothing outside read, changed or removed', async () => {
  const seed = Number(process.env.MAGNETAR_CHAOS_SEED ?? 8)
  const { counts, violations } = await runHostileFiles(
    await tempDirectory(),
    seed,
    performance.now() + FOR_MS,
    new AbortController().signal,
  )
  expect(violations).toEqual([])
  expect(counts.operations).toBeGreaterThan(100)
  expect(counts.swaps).toBeGreaterThan(20)
})
