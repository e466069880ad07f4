import { expect, it } from 'vitest'
import { tempDirectory } from '../helpers/temp-directory.js'
import { runHostileLeftovers } from './hostile-leftovers.js'

const FOR_MS = 4000

it('a server starts over whatever was left in the directories of jobs and of the index, and touches nothing outside', async () => {
  const { counts, violations } = await runHostileLeftovers(
    await tempDirectory(),
    Number(process.env.MAGNETAR_CHAOS_SEED ?? 8),
    performance.now() + FOR_MS,
    new AbortController().signal,
  )
  expect(violations).toEqual([])
  expect(counts.starts).toBeGreaterThan(1)
  expect(counts.answers).toBeGreaterThan(50)
  if (process.env.MAGNETAR_CHAOS_SEED) console.log(JSON.stringify(counts))
})
