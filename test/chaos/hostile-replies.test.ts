import { expect, it } from 'vitest'
import { tempDirectory } from '../helpers/temp-directory.js'
import { startMagnetar } from '../peers/magnetar-server.js'
import { REPLIES_APP, REPLIES_ENV, runHostileReplies } from './hostile-replies.js'

const FOR_MS = 6000

it('whatever Galaxy answers, a job ends complete with the right bytes or failed with a reason, and the server is as before', async () => {
  const server = await startMagnetar({
    directory: await tempDirectory(),
    app: REPLIES_APP,
    env: REPLIES_ENV,
  })
  const { counts, violations } = await runHostileReplies(
    server,
    Number(process.env.MAGNETAR_CHAOS_SEED ?? 8),
    performance.now() + FOR_MS,
    new AbortController().signal,
  )
  expect(violations).toEqual([])
  expect(counts.jobs).toBeGreaterThan(10)
  expect(counts.complete).toBeGreaterThan(0)
  expect(counts.failed).toBeGreaterThan(0)
  if (process.env.MAGNETAR_CHAOS_SEED) console.log(JSON.stringify(counts))
  expect(await server.stop()).toBe(0)
})
