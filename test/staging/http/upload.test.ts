import { appendFileSync, truncateSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ActionSpec, StagingAction, Transferred } from '../../../src/staging/action.js'
import { remoteTransfer } from '../../../src/staging/actions/remote-transfer.js'
import { remoteTransferTus } from '../../../src/staging/actions/remote-transfer-tus.js'
import { createForm } from '../../../src/staging/http/multipart.js'
import { TransferError } from '../../../src/staging/transfer-error.js'
import { generated, sha256Of } from '../../helpers/job-files/content.js'
import type { Fault } from '../../helpers/job-files/types.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools, openBelow, type TestTools } from '../../helpers/transfer-tools.js'
import { openClient, openHttpEnd } from '../http-fixture.js'

const MIB = 1024 * 1024
const BIG = 3 * MIB
const PATH = '/galaxy/dataset_2.dat'

/** One file to be delivered, in as many attempts as it takes. */
async function begin(action: StagingAction = remoteTransfer, bytes = BIG) {
  const { server, http } = await openHttpEnd()
  const base = await tempDirectory()
  const content = generated(bytes, 3)
  const file = path.join(base, 'out "1".dat')
  await writeFile(file, content.read(0, bytes))
  const spec: ActionSpec = { action_type: action.type, path: PATH, url: server.fileUrl(PATH, 'output') }
  let tools = createTransferTools(http)
  return {
    server,
    http,
    file,
    content,
    get tools(): TestTools {
      return tools
    },
    async attempt(next: TestTools = tools.again(http)): Promise<Transferred | undefined> {
      tools = next
      return action.stageOut?.(spec, { base, components: ['out "1".dat'] }, next)
    },
    async failure(next?: TestTools): Promise<TransferError> {
      const error = await this.attempt(next).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(TransferError)
      const told = [...tools.log.lines, String(error), String((error as Error).stack)].join('\n')
      expect(told).not.toContain(server.key)
      expect(openBelow(base)).toEqual([])
      return error as TransferError
    },
    isRight(times = 1, wanted = content): void {
      expect(server.uploads.get(PATH)).toMatchObject({ bytes: wanted.bytes, sha256: sha256Of(wanted), times })
      expect(openBelow(base)).toEqual([])
    },
    impatient: (): TestTools => tools.again(openClient({ timeouts: { headersMs: 300, idleMs: 300 } })),
  }
}

describe('an upload that is not disturbed', () => {
  it.each([100, BIG])('is one form with one file, as curl sends it: %i bytes', async (bytes) => {
    const run = await begin(remoteTransfer, bytes)
    await run.attempt()
    run.isRight()
    expect(run.server.uploads.get(PATH)).toMatchObject({
      fileName: 'out %221%22.dat',
      contentType: 'application/octet-stream',
      fileType: 'output',
    })
    expect(run.server.log).toHaveLength(1)
    const [request] = run.server.log
    expect(`${run.server.origin}${request?.target}`).toBe(run.server.fileUrl(PATH, 'output'))
    expect(request?.headers['transfer-encoding']).toBeUndefined()
    expect(Number(request?.headers['content-length'])).toBe(request?.receivedBytes)
  })

  it('escapes in names what would end them, and nothing else', () => {
    const text = createForm('a"b\r\nc\\d%ü;').before.toString()
    expect(text).toContain('filename="a%22b%0D%0Ac\\d%ü;"\r\n')
    expect(createForm('x').contentType).not.toBe(createForm('x').contentType)
  })

  it('takes any 2xx, and does not wait for an answer that never ends', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'status', status: 201, body: 'x'.repeat(MIB), late: true })
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
  })
})

const FAULTS: [string, Fault, object][] = [
  [
    '503 with a body',
    { kind: 'status', status: 503, body: 'nope', late: true },
    { transient: true, status: 503 },
  ],
  ['503 at once', { kind: 'status', status: 503, body: 'nope' }, { transient: true }],
  ['403', { kind: 'status', status: 403, body: 'purged', late: true }, { transient: false, status: 403 }],
  ['404', { kind: 'status', status: 404, late: true }, { transient: false, status: 404 }],
  ['416', { kind: 'status', status: 416, late: true }, { transient: false, status: 416 }],
  ['413 while it is sent', { kind: 'status', status: 413 }, {}],
  [
    'a redirect that loses the file',
    { kind: 'redirect', status: 302, to: '/elsewhere' },
    { transient: false },
  ],
  ['a reset before it is read', { kind: 'reset', after: -1 }, { transient: true }],
  ['a cut before it is read', { kind: 'cut', after: -1 }, { transient: true }],
  ['a cut in the middle', { kind: 'cut', after: MIB }, { transient: true }],
  ['a reset in the middle', { kind: 'reset', after: MIB }, { transient: true }],
  ['no answer', { kind: 'hang', after: -1 }, { transient: true }],
  ['a reader that stops', { kind: 'hang', after: MIB }, { transient: true }],
  ['bytes that are not HTTP', { kind: 'garbage' }, { transient: true }],
]

describe.each([remoteTransfer, remoteTransferTus])('an upload by $type to a server that fails', (action) => {
  it.each(FAULTS)('%s: a clear failure, and then a right file', async (_name, fault, expected) => {
    const run = await begin(action)
    // Of an upload in pieces, first the session, then a piece.
    run.server.failNext(...(action === remoteTransferTus ? [undefined, fault] : [fault]))
    const error = await run.failure(fault.kind === 'hang' ? run.impatient() : undefined)
    // A session that is not found any more is begun again.
    const isSession = action === remoteTransferTus && fault.kind === 'status' && fault.status === 404
    expect(error).toMatchObject(isSession ? { ...expected, transient: true } : expected)
    expect(error.message).toContain('127.0.0.1')
    expect(run.server.uploads.size).toBe(0)
    expect((await run.attempt())?.bytes).toBe(BIG)
    run.isRight()
  })

  it('says when to come back', async () => {
    const run = await begin(action)
    run.server.failNext({ kind: 'status', status: 503, headers: { 'retry-after': '120' }, late: true })
    expect(await run.failure()).toMatchObject({ retryAfterMs: 120_000 })
  })

  it('delivers again what was delivered when the answer was lost', async () => {
    const run = await begin(action)
    run.server.plan = ({ target, method, serial }) =>
      // The one request after which the file is there.
      method === 'POST' && target.includes('/files?') && serial < 4 ? { kind: 'swallow answer' } : undefined
    expect(await run.failure()).toMatchObject({ transient: true })
    run.server.plan = () => undefined
    await run.attempt()
    run.isRight(run.server.uploads.get(PATH)?.times)
  })

  it.each<[string, (file: string) => void]>([
    ['grows', (file) => appendFileSync(file, 'more')],
    ['shrinks', (file) => truncateSync(file, MIB + 5)],
  ])('does not deliver a file that %s while it is sent', async (_name, change) => {
    const run = await begin(action, 24 * MIB)
    const { events } = run.server
    events.on('request', (record: { method: string; serial: number }) => {
      const isBody = action === remoteTransfer || record.method === 'PATCH'
      if (isBody && run.server.log.filter(({ method }) => method === record.method).length === 1)
        change(run.file)
    })
    const error = await run.failure()
    expect(error).toMatchObject({ transient: true, message: expect.stringContaining('changed its size') })
    expect(run.server.uploads.size).toBe(0)
  })
})

describe('an upload to a server that lies', () => {
  it('is not done before the file was sent', async () => {
    const run = await begin(remoteTransfer, 64 * MIB)
    run.server.failNext({ kind: 'lie' })
    expect(await run.failure()).toMatchObject({ transient: true })
    await run.attempt()
    run.isRight()
  })
})

describe('an upload through redirects', () => {
  it.each([307, 308])('sends the file again where %i says, to the byte', async (status) => {
    const run = await begin()
    const other = await openHttpEnd()
    const to = other.server.fileUrl(PATH, 'output')
    run.server.failNext({ kind: 'redirect', status, to })
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    expect(other.server.uploads.get(PATH)).toMatchObject({ sha256: sha256Of(run.content) })
    expect(run.server.uploads.size).toBe(0)
  })

  it.each([
    301, 302, 303,
  ])('does not lose the file on a %i, and says where the address should be put right', async (status) => {
    const run = await begin()
    run.server.failNext({ kind: 'redirect', status, to: 'https://galaxy.example.org/login?next=secret' })
    const error = await run.failure()
    expect(error).toMatchObject({ transient: false, status })
    expect(error.message).toContain('galaxy.example.org')
    expect(error.message).not.toContain('secret')
  })
})
