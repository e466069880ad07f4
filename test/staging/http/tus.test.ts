import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Transferred } from '../../../src/staging/action.js'
import { uploadResumable } from '../../../src/staging/http/tus.js'
import { sessionId, sessionUrl, tusEndpoint } from '../../../src/staging/http/tus-session.js'
import { TransferError } from '../../../src/staging/transfer-error.js'
import { generated, sha256Of } from '../../helpers/job-files/content.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools, type TestTools } from '../../helpers/transfer-tools.js'
import { openHttpEnd } from '../http-fixture.js'

const BIG = 1_000_000
const PATH = '/galaxy/dataset_3.dat'

async function begin(bytes = BIG, chunkBytes = 300_000) {
  process.env.PULSAR_TUS_CHUNK_SIZE = String(chunkBytes)
  onTestFinished(() => {
    delete process.env.PULSAR_TUS_CHUNK_SIZE
  })
  const { server, http } = await openHttpEnd()
  const base = await tempDirectory()
  const content = generated(bytes, 4)
  const file = path.join(base, 'f')
  await writeFile(file, content.read(0, bytes))
  let tools = createTransferTools(http)
  return {
    server,
    file,
    get tools(): TestTools {
      return tools
    },
    attempt(next: TestTools = tools.again()): Promise<Transferred> {
      tools = next
      return uploadResumable(server.fileUrl(PATH, 'output'), { base, components: ['f'] }, next)
    },
    async failure(): Promise<TransferError> {
      const error = await this.attempt().catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(TransferError)
      return error as TransferError
    },
    isRight(): void {
      expect(server.uploads.get(PATH)).toMatchObject({ bytes, sha256: sha256Of(content), times: 1 })
    },
    methods: () => server.log.map(({ method }) => method).join(' '),
  }
}

describe('a resumable upload', () => {
  it('begins a session, sends pieces, and hands the session over', async () => {
    const run = await begin()
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    run.isRight()
    expect(run.methods()).toBe('POST PATCH PATCH PATCH PATCH POST')
    const [created, patch] = run.server.log
    expect(created?.target).toMatch(/^\/api\/job_files\/resumable_upload\?job_key=.*&file_type=output$/)
    expect(created?.headers).toMatchObject({
      'tus-resumable': '1.0.0',
      'upload-length': String(BIG),
      'upload-metadata': '',
      'content-length': '0',
    })
    expect(patch?.headers).toMatchObject({ 'upload-offset': '0', 'content-length': '300000' })
    expect(run.server.log.at(-1)?.headers['content-type']).toBe('application/x-www-form-urlencoded')
  })

  it('of nothing sends no piece', async () => {
    const run = await begin(0)
    await run.attempt()
    run.isRight()
    expect(run.methods()).toBe('POST POST')
  })

  it('takes pieces of 10,000,000 bytes unless told otherwise', async () => {
    const run = await begin(10_000_001, 10_000_000)
    process.env.PULSAR_TUS_CHUNK_SIZE = 'nonsense'
    await run.attempt()
    run.isRight()
    expect(run.server.log.map(({ receivedBytes }) => receivedBytes).slice(0, 3)).toEqual([0, 10_000_000, 1])
  })

  it('goes on with what the server has, after a cut and in another process', async () => {
    const run = await begin()
    run.server.failNext(undefined, undefined, { kind: 'cut', after: 123_456 })
    expect(await run.failure()).toMatchObject({ transient: true })
    expect(run.tools.keptBytes()).toBe(300_000)
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 423_456 })
    run.isRight()
    expect(run.methods()).toBe('POST PATCH PATCH HEAD PATCH PATCH POST')
    expect(
      run.server.log.reduce(
        (sum, { method, receivedBytes }) => sum + (method === 'PATCH' ? receivedBytes : 0),
        0,
      ),
    ).toBe(BIG)
  })

  it('goes on after a lost answer without sending anything twice', async () => {
    const run = await begin()
    run.server.failNext(undefined, undefined, { kind: 'swallow answer' })
    await run.failure()
    expect((await run.attempt()).resumedFrom).toBe(600_000)
    run.isRight()
  })

  it('that had sent everything only hands over', async () => {
    const run = await begin()
    run.server.failNext(...Array(5).fill(undefined), { kind: 'status', status: 502 })
    expect(await run.failure()).toMatchObject({ status: 502 })
    const before = run.server.log.length
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: BIG })
    expect(run.server.log.slice(before).map(({ method }) => method)).toEqual(['HEAD', 'POST'])
    run.isRight()
  })

  it('begins anew when the session is gone', async () => {
    const run = await begin()
    run.server.failNext(undefined, undefined, { kind: 'cut', after: 0 })
    await run.failure()
    run.server.forgetSessions()
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    run.isRight()
    expect(run.methods()).toContain('HEAD POST PATCH')
  })

  it.each([404, 410])('begins anew after a session was lost in the middle: %i', async (status) => {
    const run = await begin()
    run.server.failNext(undefined, undefined, { kind: 'status', status })
    expect(await run.failure()).toMatchObject({
      transient: true,
      message: expect.stringContaining('forgotten'),
    })
    run.server.forgetSessions()
    await run.attempt()
    run.isRight()
  })

  it.each([
    BIG,
    BIG + 1,
  ])('does not put the end of a changed file after the beginning of the old one: %i bytes', async (bytes) => {
    const run = await begin()
    run.server.failNext(undefined, undefined, { kind: 'cut', after: 0 })
    await run.failure()
    const other = generated(bytes, 5)
    await writeFile(run.file, other.read(0, bytes))
    expect(await run.attempt()).toEqual({ bytes, resumedFrom: 0 })
    expect(run.server.uploads.get(PATH)).toMatchObject({ bytes, sha256: sha256Of(other) })
  })

  it('asks where it is when the server says it is elsewhere', async () => {
    const run = await begin()
    run.server.failNext(undefined, undefined, { kind: 'status', status: 409 })
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    run.isRight()
    expect(run.methods()).toBe('POST PATCH PATCH HEAD PATCH PATCH PATCH POST')
  })

  it('does not argue for ever about where it is', async () => {
    const run = await begin()
    run.server.plan = ({ method }) => (method === 'PATCH' ? { kind: 'status', status: 409 } : undefined)
    expect(await run.failure()).toMatchObject({ transient: true })
    expect(run.server.log.length).toBeLessThan(12)
  })

  it('does not follow a server for ever that has less and less', async () => {
    const run = await begin()
    let pieces = 0
    run.server.plan = ({ method }) => {
      if (method !== 'PATCH' || ++pieces % 2 === 1) return undefined
      run.server.forgetPieces()
      return { kind: 'status', status: 409 }
    }
    expect(await run.failure()).toMatchObject({ transient: true, message: expect.stringContaining('twice') })
    expect(run.server.log.length).toBeLessThan(20)
  })

  it('begins anew when an earlier request to take it, whose answer was lost, has come through after all', async () => {
    const run = await begin()
    run.server.plan = ({ method, target }) => {
      if (method !== 'POST' || target.includes('resumable_upload')) return undefined
      run.server.forgetSessions()
      return { kind: 'status', status: 400 }
    }
    expect(await run.failure()).toMatchObject({ transient: true })
    run.server.plan = () => undefined
    expect(await run.attempt()).toEqual({ bytes: BIG, resumedFrom: 0 })
    run.isRight()
  })

  it('is refused when Galaxy has it and will not take it', async () => {
    const run = await begin()
    run.server.failNext(...Array(5).fill(undefined), { kind: 'status', status: 400 })
    expect(await run.failure()).toMatchObject({ transient: false, status: 400 })
  })

  it('fails for good where there are no resumable uploads', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'status', status: 404 })
    const error = await run.failure()
    expect(error).toMatchObject({ transient: false, status: 404 })
    expect(error.message).toContain('/api/job_files/resumable_upload')
    expect(error.message).not.toContain(run.server.key)
  })

  it('says so when a session has no address', async () => {
    const run = await begin()
    run.server.failNext({ kind: 'status', status: 201 })
    expect(await run.failure()).toMatchObject({ transient: false, message: expect.stringContaining('where') })
  })
})

describe('the addresses of resumable uploads', () => {
  it('stand beside that of job files', () => {
    expect(tusEndpoint('https://g.org/galaxy/api/jobs/abc/files?job_key=K&path=%2Fa%20b')).toBe(
      'https://g.org/galaxy/api/job_files/resumable_upload?job_key=K&path=%2Fa%20b',
    )
    expect(() => tusEndpoint('https://g.org/files?job_key=K')).toThrow(TransferError)
  })

  it.each([
    ['http://g.org/u', '/u/7?k=1', 'http://g.org/u/7?k=1'],
    ['http://g.org/u/', '7', 'http://g.org/u/7'],
    ['http://g.org/u', 'https://h.org/7', 'https://h.org/7'],
    // A server that does not know that its proxy ends TLS.
    ['https://g.org/u', 'http://g.org/u/7', 'https://g.org/u/7'],
    ['https://g.org:8443/u', 'http://g.org:8443/u/7', 'https://g.org:8443/u/7'],
  ])('asked at %s, %s is %s', (base, location, wanted) => {
    expect(sessionUrl(location, base)).toBe(wanted)
    expect(sessionId(wanted)).toBe('7')
  })

  it.each(['http://other.org/7', 'http://g.org:8080/u/7'])('do not lead from https to %s', (location) => {
    expect(() => sessionUrl(location, 'https://g.org/u')).toThrow(/plain http/)
  })
})
