import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { UPLOAD_PREFIX } from '../../../src/lib/confined-file.js'
import type { ActionSpec, StagingAction } from '../../../src/staging/action.js'
import { remoteTransfer } from '../../../src/staging/actions/remote-transfer.js'
import { remoteTransferTus } from '../../../src/staging/actions/remote-transfer-tus.js'
import { generated } from '../../helpers/job-files/content.js'
import type { Fault, RequestRecord } from '../../helpers/job-files/types.js'
import { isHeld } from '../../helpers/open-connections.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools, openBelow } from '../../helpers/transfer-tools.js'
import { waitFor } from '../../helpers/wait-for.js'
import { openHttpEnd } from '../http-fixture.js'

const MIB = 1024 * 1024
const BIG = 24 * MIB
const PATH = '/galaxy/f'

/** When a transfer is cancelled: at which request, which then goes so far and no further. */
interface Moment {
  readonly name: string
  readonly fault: Fault
  readonly at: (record: RequestRecord) => boolean
}

const isGet = ({ method }: RequestRecord): boolean => method === 'GET'
const isPost = ({ method }: RequestRecord): boolean => method === 'POST'
const isPatch = ({ method }: RequestRecord): boolean => method === 'PATCH'
const hang = (after: number): Fault => ({ kind: 'hang', after })

async function begin(action: StagingAction) {
  const { server, http } = await openHttpEnd({ timeouts: { headersMs: 60_000, idleMs: 60_000 } })
  const base = await tempDirectory()
  const content = generated(BIG, 5)
  server.serve(PATH, content)
  await writeFile(path.join(base, 'out'), content.read(0, BIG))
  const spec: ActionSpec = { action_type: action.type, path: PATH, url: server.fileUrl(PATH) }
  const tools = createTransferTools(http)
  return {
    server,
    base,
    tools,
    stageIn: () => action.stageIn?.(spec, { base, components: ['in'] }, tools) ?? Promise.reject(),
    stageOut: () => action.stageOut?.(spec, { base, components: ['out'] }, tools) ?? Promise.reject(),
  }
}

type Begun = Awaited<ReturnType<typeof begin>>

/** Cancels when nothing moves any more, and looks at what is left. */
async function cancelWhen(
  run: Begun,
  { fault, at }: Moment,
  transfer: Promise<unknown>,
  minMoved = 0,
): Promise<void> {
  const { server, tools, base } = run
  let caught: RequestRecord | undefined
  server.plan = (record) => {
    if (caught || !at(record)) return undefined
    caught = record
    return fault
  }
  const ended = transfer.then(
    () => 'done',
    (error: unknown) => error,
  )
  const wanted = 'after' in fault ? Math.max(0, fault.after) : 0
  const found = await waitFor(() => caught && caught.sentBytes + caught.receivedBytes >= wanted && caught, {
    what: 'moment to cancel',
  })
  await waitFor(() => tools.moved() >= minMoved, { what: 'bytes that are there' })
  const reason = new Error('the job was cancelled')
  tools.cancel(reason)
  expect(await ended).toBe(reason)
  expect(openBelow(base)).toEqual([])
  const { clientPort } = found
  await waitFor(() => !isHeld(clientPort), { what: 'end of the connection' })
  expect(readdirSync(base).filter((name) => !name.startsWith(UPLOAD_PREFIX))).toEqual(['out'])
  expect(server.uploads.size).toBe(0)
}

describe('cancelling a download', () => {
  it.each<Moment>([
    { name: 'before the answer', fault: hang(-1), at: isGet },
    { name: 'after the headers', fault: hang(0), at: isGet },
    { name: 'in the body', fault: hang(5 * MIB), at: isGet },
    { name: 'before the last byte', fault: hang(BIG - 1), at: isGet },
    { name: 'in an error that is being read', fault: { kind: 'slow', bytesPerSecond: 50 }, at: isGet },
  ])('$name ends it, and leaves nothing open', async (moment) => {
    const run = await begin(remoteTransfer)
    await cancelWhen(run, moment, run.stageIn())
  })

  it('keeps what is there for a node that is only stopping', async () => {
    const run = await begin(remoteTransfer)
    await cancelWhen(run, { name: '', fault: hang(5 * MIB), at: isGet }, run.stageIn(), 4 * MIB)
    const again = createTransferTools(run.tools.http)
    const spec = { action_type: 'remote_transfer', url: run.server.fileUrl(PATH) }
    const done = await remoteTransfer.stageIn?.(spec, { base: run.base, components: ['in'] }, again)
    expect(done?.bytes).toBe(BIG)
    // The end of what is there is compared.
    expect(done?.resumedFrom).toBeGreaterThanOrEqual(4 * MIB - 65_536)
  })
})

describe('cancelling an upload', () => {
  it.each<Moment>([
    { name: 'before it is read', fault: hang(-1), at: isPost },
    { name: 'in the middle', fault: hang(5 * MIB), at: isPost },
    { name: 'while nobody reads on', fault: hang(1), at: isPost },
  ])('as a form $name ends it, and leaves nothing open', async (moment) => {
    const run = await begin(remoteTransfer)
    await cancelWhen(run, moment, run.stageOut())
  })

  it.each<Moment>([
    { name: 'before it has begun', fault: hang(-1), at: isPost },
    { name: 'before a piece is read', fault: hang(-1), at: isPatch },
    { name: 'in a piece', fault: hang(5 * MIB), at: isPatch },
    { name: 'while it is handed over', fault: hang(-1), at: (record) => isPost(record) && record.serial > 1 },
  ])('in pieces $name ends it, and leaves nothing open', async (moment) => {
    const run = await begin(remoteTransferTus)
    await cancelWhen(run, moment, run.stageOut())
  })
})

describe('cancelling at any time', { timeout: 120_000 }, () => {
  it.each([
    remoteTransfer,
    remoteTransferTus,
  ])('ends in its reason or in a whole file: $type', async (action) => {
    // After so many turns of the event loop: phases that no request marks are hit too.
    for (let turns = 0; turns < 60; turns++) {
      const run = await begin(action)
      run.server.serve(PATH, generated(300_000, 6))
      const reason = new Error('the job was cancelled')
      const ended = run.stageIn().then(
        (done) => done,
        (error: unknown) => error,
      )
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      run.tools.cancel(reason)
      const end = await ended
      const isThere = readdirSync(run.base).includes('in')
      if (end === reason) expect(isThere).toBe(false)
      else expect([end, isThere]).toEqual([{ bytes: 300_000, resumedFrom: 0 }, true])
      expect(openBelow(run.base)).toEqual([])
      await run.tools.http.close()
      await run.server.close()
    }
  })
})
