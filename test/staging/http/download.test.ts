import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { UPLOAD_PREFIX } from '../../../src/lib/confined-file.js'
import type { Transferred } from '../../../src/staging/action.js'
import { download } from '../../../src/staging/http/download.js'
import type { HttpClient } from '../../../src/staging/http-client.js'
import { TransferError } from '../../../src/staging/transfer-error.js'
import { generated } from '../../helpers/job-files/content.js'
import type { Fault, Framing, Validators } from '../../helpers/job-files/types.js'
import type { JobFilesServer } from '../../helpers/job-files-server.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools, openBelow, type TestTools } from '../../helpers/transfer-tools.js'
import { waitFor } from '../../helpers/wait-for.js'
import { openClient, openHttpEnd } from '../http-fixture.js'

const MIB = 1024 * 1024
const BIG = 3 * MIB
const PATH = '/galaxy/dataset_1.dat'
/** Of a part so much is asked for again, to be compared. */
const AGAIN = 65_536

/** One target, and as many attempts as it takes. */
async function begin(bytes = BIG, validators: Validators = 'strong', framing: Framing = 'length') {
  const { server, http } = await openHttpEnd()
  const base = await tempDirectory()
  const content = generated(bytes, 1)
  server.serve(PATH, content, { validators, framing })
  const to = { base, components: ['f'] }
  let tools = createTransferTools(http)
  return {
    server,
    http,
    base,
    content,
    get tools(): TestTools {
      return tools
    },
    attempt(next: TestTools = tools.again(http)): Promise<Transferred> {
      tools = next
      return download(server.fileUrl(PATH), to, next)
    },
    async failure(next?: TestTools): Promise<TransferError> {
      const error = await this.attempt(next).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(TransferError)
      checkSecrets(server, tools, error as TransferError)
      return error as TransferError
    },
    async isRight(wanted = content): Promise<void> {
      const found = await readFile(path.join(base, 'f'))
      expect(found.equals(wanted.read(0, wanted.bytes))).toBe(true)
      expect(readdirSync(base)).toEqual(['f'])
      expect(openBelow(base)).toEqual([])
    },
    parts: () => readdirSync(base).filter((name) => name.startsWith(UPLOAD_PREFIX)),
    /** An attempt in which silence is soon an error. */
    impatient: (silenceMs = 300): TestTools =>
      tools.again(openClient({ timeouts: { headersMs: silenceMs, idleMs: silenceMs } })),
    partBytes(): number {
      return Math.max(0, ...this.parts().map((name) => statSync(path.join(base, name)).size))
    },
  }
}

/** The key of the job is in the URL, which must not come out of here. */
function checkSecrets(server: JobFilesServer, tools: TestTools, error: Error): void {
  const told = [...tools.log.lines, String(error), String(error.stack), error.message].join('\n')
  expect(told).not.toContain(server.key)
  expect(told).not.toContain('job_key=k')
}

describe('a download that is not disturbed', () => {
  it('asks once, with the address as it is, for the file as it is', async () => {
    const run = await begin()
    await run.attempt()
    await run.isRight()
    expect(run.server.log).toHaveLength(1)
    const [request] = run.server.log
    expect(`${run.server.origin}${request?.target}`).toBe(run.server.fileUrl(PATH))
    expect(request?.headers).toMatchObject({ accept: '*/*', 'accept-encoding': 'identity' })
    expect(request?.range).toBeUndefined()
  })

  it.each<[Framing, number]>([
    ['chunked', 0],
    ['chunked', 100],
    ['chunked', BIG],
    ['close', 0],
    ['close', BIG],
  ])('takes a body that ends by %s, of %i bytes', async (framing, bytes) => {
    const run = await begin(bytes, 'none', framing)
    expect(await run.attempt()).toEqual({ bytes, resumedFrom: 0 })
    await run.isRight()
    // Where nothing in the answer says that it is complete, the length is asked for.
    expect(run.server.log.map(({ method }) => method)).toEqual(
      framing === 'close' ? ['GET', 'HEAD'] : ['GET'],
    )
  })

  it('does not take the end of a connection for the end of a file when nobody knows its length', async () => {
    const run = await begin(BIG, 'none', 'close')
    run.server.failNext(undefined, { kind: 'status', status: 405 })
    const error = await run.failure()
    expect(error).toMatchObject({ transient: false, message: expect.stringContaining('Content-Length') })
    expect(readdirSync(run.base)).toEqual([])
  })

  it('finds that a body was cut which was to end with the connection', async () => {
    const run = await begin(BIG, 'none', 'close')
    run.server.failNext({ kind: 'cut', after: MIB })
    expect(await run.failure()).toMatchObject({
      transient: true,
      message: expect.stringContaining('of 3145728'),
    })
  })

  it('fetches one target once at a time', async () => {
    const run = await begin()
    const done = await Promise.all([run.attempt(), run.attempt(), run.attempt()])
    expect(done.map(({ bytes }) => bytes)).toEqual([BIG, BIG, BIG])
    await run.isRight()
  })
})

describe('a download that was cut', () => {
  it.each<[Validators, Framing]>([
    ['strong', 'length'],
    ['weak', 'length'],
    ['date', 'length'],
    ['young date', 'length'],
    ['none', 'length'],
    ['strong', 'chunked'],
    ['none', 'chunked'],
  ])('goes on where it was, and compares 64 KiB: validators %s, framing %s', async (validators, framing) => {
    const again = AGAIN
    const run = await begin(BIG, validators, framing)
    run.server.failNext({ kind: 'cut', after: MIB })
    expect(await run.failure()).toMatchObject({ transient: true, status: undefined })
    const had = run.partBytes()
    expect(had).toBeGreaterThan(AGAIN)
    const done = await run.attempt()
    await run.isRight()
    expect(done).toEqual({ bytes: BIG, resumedFrom: had - again })
    const [, second, ...more] = run.server.log
    expect(more).toEqual([])
    expect(second).toMatchObject({ status: 206, sentBytes: BIG - had + again })
    expect(second?.headers['if-range']).toBe(
      { strong: '"v1"', date: 'Thu, 01 Jan 2026 00:00:01 GMT' }[validators as string],
    )
    expect(run.tools.moved()).toBe(BIG - had)
  })

  it('goes on after the process was killed and all notes are lost, for the price of one more request', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'cut', after: MIB })
    await run.failure()
    const had = run.partBytes()
    expect(await run.attempt(run.tools.forgetful())).toEqual({
      bytes: BIG,
      resumedFrom: had - AGAIN,
    })
    await run.isRight()
    expect(run.server.log.map(({ range }) => range)).toEqual([undefined, undefined, `bytes=${had - AGAIN}-`])
  })

  it('goes on many times', async () => {
    const run = await begin()
    let resumed = 0
    for (let time = 0; time < 8; time++) {
      run.server.failNext({ kind: 'cut', after: 300_000 })
      await run.failure()
      expect(run.partBytes()).toBeGreaterThanOrEqual(resumed)
      resumed = run.partBytes()
      expect(run.tools.keptBytes()).toBe(resumed)
    }
    expect((await run.attempt()).resumedFrom).toBe(resumed - AGAIN)
    await run.isRight()
    const sent = run.server.log.reduce((sum, each) => sum + each.sentBytes, 0)
    // What was on its way when a connection broke may be lost, and the end of the part is compared; nothing else.
    expect(sent).toBeLessThan(BIG + 8 * 300_000)
  })

  it('notes a large part before it is filled, and does not wait for a small one', async () => {
    const large = await begin(5 * MIB)
    large.server.failNext({ kind: 'hang', after: MIB })
    const hanging = large.attempt()
    await waitFor(() => large.tools.noted(), { what: 'note of the part' })
    large.tools.cancel()
    await expect(hanging).rejects.toThrow('cancelled')
    expect(large.tools.noted()).toContain('"part"')
    const small = await begin(MIB)
    await small.attempt()
    expect(small.tools.noted()).toBeUndefined()
  })

  it.each<Validators>([
    'strong',
    'weak',
    'date',
    'none',
  ])('starts anew when the file has become another one: %s', async (validators) => {
    const run = await begin(BIG, validators)
    run.server.failNext({ kind: 'cut', after: MIB })
    await run.failure()
    const other = generated(BIG, 2)
    run.server.serve(PATH, other, { validators })
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    await run.isRight(other)
  })

  it.each<[Validators, number]>([
    ['strong', BIG - 1000],
    ['none', BIG - 1000],
    ['none', BIG + 1000],
    ['none', 70_000],
    ['strong', 1000],
    ['none', 0],
  ])('starts anew when the file has another length: %s, %i', async (validators, bytes) => {
    const run = await begin(BIG, validators)
    run.server.failNext({ kind: 'cut', after: MIB })
    await run.failure()
    const other = generated(bytes, 1)
    run.server.serve(PATH, other, { validators })
    expect(await run.attempt()).toEqual({ bytes, resumedFrom: 0 })
    await run.isRight(other)
  })

  it.each<[Validators, Fault]>([
    ['strong', { kind: 'ignore range' }],
    ['none', { kind: 'ignore range' }],
    ['strong', { kind: 'shift range', by: 1 }],
    ['strong', { kind: 'shift range', by: -1 }],
    ['none', { kind: 'shift range', by: 7 }],
    ['strong', { kind: 'status', status: 416, headers: { 'content-range': 'bytes */99' } }],
    ['strong', { kind: 'status', status: 416 }],
    ['strong', { kind: 'status', status: 416, headers: { 'content-range': `bytes */${BIG}` } }],
    ['none', { kind: 'status', status: 416 }],
  ])('starts anew when the server cannot go on: %s, %o', async (validators, fault) => {
    const run = await begin(BIG, validators)
    run.server.failNext({ kind: 'cut', after: MIB }, fault)
    await run.failure()
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    await run.isRight()
  })

  it.each<Validators>([
    'strong',
    'date',
    'weak',
    'none',
  ])('is not deceived by a server that says it is the same file and sends other bytes: %s', async (validators) => {
    const run = await begin(BIG, validators)
    run.server.failNext({ kind: 'cut', after: MIB })
    await run.failure()
    run.server.failNext({ kind: 'wrong range' })
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    await run.isRight()
  })

  it.each<Validators>([
    'strong',
    'date',
    'weak',
    'none',
  ])('is not deceived by a server that answers ranges of another file: %s', async (validators) => {
    const run = await begin(BIG, validators)
    run.server.failNext({ kind: 'cut', after: MIB }, { kind: 'ignore if-range' })
    await run.failure()
    const other = generated(BIG, 2)
    run.server.serve(PATH, other, { validators })
    expect((await run.attempt()).resumedFrom).toBe(0)
    await run.isRight(other)
  })

  it('does not keep bytes that were found to be wrong, also when the next request fails', async () => {
    const run = await begin(BIG, 'none')
    run.server.failNext({ kind: 'cut', after: MIB }, undefined, { kind: 'status', status: 503 })
    await run.failure()
    const other = generated(BIG, 2)
    run.server.serve(PATH, other, { validators: 'none' })
    expect(await run.failure()).toMatchObject({ status: 503 })
    expect(run.parts()).toEqual([])
    await run.attempt()
    await run.isRight(other)
  })

  it('asks for more when the server gives less than it was asked for', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'cut', after: MIB })
    await run.failure()
    const had = run.partBytes()
    run.server.failNext({ kind: 'give less', bytes: 500_000 }, { kind: 'give less', bytes: 500_000 })
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: had - AGAIN })
    await run.isRight()
    expect(run.server.log.slice(1).map(({ sentBytes }) => sentBytes)).toEqual([
      500_000,
      500_000,
      BIG - had - 1_000_000 + 3 * AGAIN,
    ])
  })

  it.each<Validators>(['strong', 'none'])('recognises a part that was complete: %s', async (validators) => {
    const run = await begin(BIG, validators)
    run.server.failNext({ kind: 'cut', after: MIB })
    await run.failure()
    // As after a crash between the last byte and the rename.
    const [part = ''] = run.parts()
    writeFileSync(path.join(run.base, part), run.content.read(0, BIG))
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: BIG - 65_536 })
    await run.isRight()
    expect(run.server.log.at(-1)?.sentBytes).toBe(65_536)
  })

  it('recognises a complete part of a file whose length was not told', async () => {
    const run = await begin(BIG, 'strong', 'chunked')
    run.server.failNext({ kind: 'cut', after: MIB })
    await run.failure()
    const [part = ''] = run.parts()
    writeFileSync(path.join(run.base, part), run.content.read(0, BIG))
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: BIG - AGAIN })
    await run.isRight()
    expect(run.server.log.at(-1)).toMatchObject({ status: 206, sentBytes: AGAIN })
  })

  it('starts anew when the part on disk is longer than the file', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'cut', after: MIB })
    await run.failure()
    const [part = ''] = run.parts()
    writeFileSync(path.join(run.base, part), Buffer.alloc(BIG + 1))
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    await run.isRight()
  })

  it('does not go on with a note that was made under another name, or makes no sense', async () => {
    for (const note of [
      '',
      '{}',
      '[1',
      '{"part":"../../x","isDateStrong":true}',
      `{"part":"${'0'.repeat(32)}","isDateStrong":true}`,
    ]) {
      const run = await begin()
      expect(await run.attempt(createTransferTools(run.http, note))).toEqual({ bytes: BIG, resumedFrom: 0 })
      await run.isRight()
    }
  })
})

describe('a server that fails', () => {
  it.each<[string, Fault, object]>([
    ['503 with a body', { kind: 'status', status: 503, body: 'nope' }, { transient: true, status: 503 }],
    ['500', { kind: 'status', status: 500 }, { transient: true, status: 500 }],
    ['403', { kind: 'status', status: 403, body: 'purged' }, { transient: false, status: 403 }],
    ['404', { kind: 'status', status: 404 }, { transient: false, status: 404 }],
    ['416 unasked', { kind: 'status', status: 416 }, { transient: false, status: 416 }],
    ['206 unasked', { kind: 'status', status: 206, body: 'part' }, { transient: false, status: 206 }],
    ['204', { kind: 'status', status: 204 }, { transient: false, status: 204 }],
    ['202 with a body', { kind: 'status', status: 202, body: 'soon' }, { transient: false, status: 202 }],
    ['304', { kind: 'status', status: 304 }, { transient: false, status: 304 }],
    ['a reset before the answer', { kind: 'reset', after: -1 }, { transient: true }],
    ['an end before the answer', { kind: 'cut', after: -1 }, { transient: true }],
    ['a cut after the headers', { kind: 'cut', after: 0 }, { transient: true }],
    ['a cut before the last byte', { kind: 'cut', after: BIG - 1 }, { transient: true }],
    ['a reset in the middle', { kind: 'reset', after: MIB }, { transient: true }],
    ['no answer', { kind: 'hang', after: -1 }, { transient: true }],
    ['silence in the middle', { kind: 'hang', after: MIB }, { transient: true }],
    ['silence after the headers', { kind: 'hang', after: 0 }, { transient: true }],
    ['bytes that are not HTTP', { kind: 'garbage' }, { transient: true }],
    ['more announced than sent', { kind: 'length', delta: 10 }, { transient: true }],
    ['less announced than sent', { kind: 'length', delta: -10 }, { transient: true }],
    ['packed content', { kind: 'encode' }, { transient: false }],
  ])('%s: a clear failure, nothing wrong on disk, and then a right file', async (_name, fault, expected) => {
    const run = await begin()
    // Who announces too little does so again when the length is asked for once more.
    run.server.failNext(fault, ...(fault.kind === 'length' && fault.delta < 0 ? [fault, fault] : []))
    const error = await run.failure(fault.kind === 'hang' ? run.impatient() : undefined)
    expect(error).toMatchObject(expected)
    expect(error.message).toContain('127.0.0.1')
    expect(readdirSync(run.base)).not.toContain('f')
    expect(openBelow(run.base)).toEqual([])
    if (!error.transient) expect(run.parts()).toEqual([])
    await run.attempt()
    await run.isRight()
  })

  it.each<[string, Fault, object]>([
    ['more announced than sent', { kind: 'length', delta: 10 }, { transient: true }],
    ['less announced than sent', { kind: 'length', delta: -10 }, { transient: true }],
    ['a cut', { kind: 'cut', after: 500 }, { transient: true }],
    ['silence', { kind: 'hang', after: 500 }, { transient: true }],
  ])('%s, for a small file', async (_name, fault, expected) => {
    const run = await begin(1000)
    run.server.failNext(fault, ...(fault.kind === 'length' && fault.delta < 0 ? [fault] : []))
    const tools = fault.kind === 'hang' ? run.impatient() : undefined
    expect(await run.failure(tools)).toMatchObject(expected)
    expect(readdirSync(run.base)).toEqual([])
    await run.attempt()
    await run.isRight()
  })

  it('asks again for the end of a file when there was more than its length, and believes the total', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'length', delta: -10 })
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    await run.isRight()
    const end = run.server.log[1]
    expect(end).toMatchObject({ status: 206, range: `bytes=${BIG - 10 - 65_536}-` })
  })

  it('says what the server said, and when to come back', async () => {
    const run = await begin()
    const body = `<html><style>x{}</style><p>Down for <b>maintenance</b>: ${run.server.endpoint}&amp;path=x\n\u0007</p></html>`
    run.server.failNext({ kind: 'status', status: 503, body, headers: { 'retry-after': '7' } })
    const error = await run.failure()
    expect(error.retryAfterMs).toBe(7000)
    expect(error.message).toMatch(
      /^GET http:\/\/127\.0\.0\.1:\d+\/api\/jobs\/\w+\/files was answered with 503 Service Unavailable: Down for maintenance : http/,
    )
    run.server.failNext({ kind: 'status', status: 403, body: '{"err_msg":"Job is over","err_code":403001}' })
    expect((await run.failure()).message).toMatch(/403 Forbidden: Job is over$/)
    const page =
      '<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>'
    run.server.failNext({ kind: 'status', status: 502, body: page })
    expect((await run.failure()).message).toMatch(/answered with 502 Bad Gateway: nginx$/)
    const later = new Date(Date.now() + 60_000).toUTCString()
    run.server.failNext({ kind: 'status', status: 429, headers: { 'retry-after': later } })
    expect((await run.failure()).retryAfterMs).toBeGreaterThan(50_000)
  })

  it('reads no more of an error than it shows', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'status', status: 500, body: 'x'.repeat(MIB) })
    expect((await run.failure()).message.length).toBeLessThan(600)
  })

  it('waits for a slow server as long as it sends', async () => {
    const run = await begin(300_000)
    // Something every 20 ms, and in all longer than silence may last.
    run.server.failNext({ kind: 'slow', bytesPerSecond: 200_000 })
    await run.attempt(run.impatient(1000))
    await run.isRight()
  })
})

describe('the disk', () => {
  it('is asked for space before a large file is fetched', async () => {
    const run = await begin()
    const { default: fs } = await import('node:fs')
    const real = fs.statfsSync
    const pretend = (bavail: number, blocks: number): void => {
      fs.statfsSync = ((name: string) => ({ ...real(name), bsize: 4096, bavail, blocks })) as typeof real
    }
    try {
      pretend(100, 1_000_000)
      expect(await run.failure()).toMatchObject({
        transient: true,
        message: expect.stringMatching(/left, of which 16 MiB are to stay free: free some space there/),
      })
      pretend(100, 200)
      expect(await run.failure()).toMatchObject({
        transient: false,
        message: expect.stringContaining('never'),
      })
    } finally {
      fs.statfsSync = real
    }
    expect(readdirSync(run.base)).toEqual([])
    await run.attempt()
    await run.isRight()
  })

  it('that fails while a body is written is named, and nothing is left that could be taken for the file', async () => {
    const run = await begin()
    const { default: fs } = await import('node:fs')
    const real = fs.write
    const full = (...args: unknown[]): void => {
      const done = args.at(-1) as (error: Error) => void
      setImmediate(() => done(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })))
    }
    fs.write = full as unknown as typeof real
    try {
      expect(await run.failure()).toMatchObject({
        transient: true,
        message: expect.stringContaining('no space left'),
      })
    } finally {
      fs.write = real
    }
    expect(openBelow(run.base)).toEqual([])
    await run.attempt()
    await run.isRight()
  })

  it('with something strange under the name of the part is no obstacle', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'cut', after: MIB })
    await run.failure()
    const [part = ''] = run.parts()
    const outside = path.join(await tempDirectory(), 'outside')
    await writeFile(outside, 'outside')
    const { linkSync, unlinkSync } = await import('node:fs')
    unlinkSync(path.join(run.base, part))
    linkSync(outside, path.join(run.base, part))
    await run.attempt()
    await run.isRight()
    expect(await readFile(outside, 'utf8')).toBe('outside')
  })
})

describe('a client that is closed', () => {
  it('ends what is under way', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'hang', after: MIB })
    const { http }: { http: HttpClient } = run
    const failing = run.failure()
    await new Promise((resolve) => run.server.events.once('request', resolve))
    await http.close()
    expect(await failing).toMatchObject({ transient: true })
    expect(await run.failure()).toMatchObject({ message: expect.stringContaining('stopping') })
  })
})
