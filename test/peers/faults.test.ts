import { realpath } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { missingCompiler } from '../chaos/faults/faults.js'
import { faultKind, killKind } from '../chaos/kinds/faults.js'
import { powerKind } from '../chaos/kinds/power.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

/* A sample of what `npm run test:chaos` does for as long as it is told to. */
const SEED = 8
const BUDGET_MS = 12_000

describe('a node whose disk, processes and power fail', needs(missingCompiler()), () => {
  const settings = async (more: object) => ({
    seed: SEED,
    deadlineMs: Date.now() + BUDGET_MS,
    signal: new AbortController().signal,
    directory: await realpath(await tempDirectory()),
    note() {},
    ...more,
  })

  it.each([
    ['one call fails', faultKind, 30],
    ['it is killed at some call', killKind, 15],
    ['the power is lost at some call', powerKind, 6],
  ])('keeps its promises when %s', async (_, kind, most) => {
    const { violations, counts } = await kind.run(await settings({ most }))
    expect(violations).toEqual([])
    expect(counts.jobs).toBeGreaterThan(0)
  })

  it.each([
    ['job records that could once not be synced', 'cancel/sync/4/EIO'],
    ['a cancellation whose flag could not be written', 'cancel/create/4/EMFILE'],
  ])('goes on after %s', async (_, point) => {
    const { violations } = await faultKind.run(await settings({ point }))
    expect(violations).toEqual([])
  })
})
