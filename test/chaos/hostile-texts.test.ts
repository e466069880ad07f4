import { expect, it } from 'vitest'
import { tempDirectory } from '../helpers/temp-directory.js'
import { runHostileTexts } from './hostile-texts.js'

const FOR_MS = 6000

it('a configuration, answers file or store with anything in it is used, or refused with an error for people', async () => {
  const { counts, violations } = await runHostileTexts(
    await tempDirectory(),
    Number(process.env.MAGNETAR_CHAOS_SEED ?? 8),
    performance.now() + FOR_MS,
    new AbortController().signal,
  )
  expect(violations).toEqual([])
  expect(counts.configurations).toBeGreaterThan(20)
  expect(counts.answers).toBeGreaterThan(20)
  expect(counts.stores).toBeGreaterThan(0)
  if (process.env.MAGNETAR_CHAOS_SEED) console.log(JSON.stringify(counts))
})
