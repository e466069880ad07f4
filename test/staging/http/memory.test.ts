import { statSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ActionSpec } from '../../../src/staging/action.js'
import { remoteTransfer } from '../../../src/staging/actions/remote-transfer.js'
import { remoteTransferTus } from '../../../src/staging/actions/remote-transfer-tus.js'
import { generated, sha256Of } from '../../helpers/job-files/content.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools } from '../../helpers/transfer-tools.js'
import { openHttpEnd } from '../http-fixture.js'

const MIB = 1024 * 1024
const BIG = 256 * MIB
/** Generous: the other side, the parsers and what the collector has not looked at yet are in it too. */
const LIMIT = 128 * MIB

/** How much more memory the process holds at the worst moment of a task. */
async function growthOf(task: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss()
  let peak = before
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 10)
  onTestFinished(() => clearInterval(timer))
  await task()
  clearInterval(timer)
  return peak - before
}

describe('a large file', { timeout: 120_000 }, () => {
  it('goes through little memory, in and out', async () => {
    const { server, http } = await openHttpEnd()
    const base = await tempDirectory()
    const content = generated(BIG, 1)
    const wanted = sha256Of(content)
    server.serve('/f', content)
    const file = { base, components: ['f'] }
    const spec = (type: string): ActionSpec => ({ action_type: type, url: server.fileUrl('/f', type) })

    const fetching = () =>
      remoteTransfer.stageIn?.(spec('input'), file, createTransferTools(http)) ?? Promise.reject()
    expect(await growthOf(fetching)).toBeLessThan(LIMIT)
    expect(statSync(path.join(base, 'f')).size).toBe(BIG)
    for (const action of [remoteTransfer, remoteTransferTus]) {
      const sending = () =>
        action.stageOut?.(spec('output'), file, createTransferTools(http)) ?? Promise.reject()
      expect(await growthOf(sending)).toBeLessThan(LIMIT)
      // Sent from the file, so this is the proof for both ways.
      expect(server.uploads.get('/f')?.sha256).toBe(wanted)
    }
  })
})
