import { realpath } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { runNetwork } from '../chaos/kinds/network.js'
import { tempDirectory } from '../helpers/temp-directory.js'

/* A sample of what `npm run test:chaos -- --kind network` does for as long as it is told to. */
it('loses no job, no byte and no descriptor when the network between client, node and Galaxy breaks', async () => {
  const { violations, counts } = await runNetwork(
    {
      seed: 3,
      deadlineMs: Number.POSITIVE_INFINITY,
      signal: new AbortController().signal,
      directory: await realpath(await tempDirectory()),
      most: 2,
      note() {},
    },
    { waitsForServer: false },
  )
  expect(violations).toEqual([])
  expect(counts.faults).toBeGreaterThan(10)
})
