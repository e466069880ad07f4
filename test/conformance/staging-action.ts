import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ActionSpec, LocalFile, StagingAction } from '../../src/staging/action.js'
import type { HttpClient } from '../../src/staging/http-client.js'
import { TransferError } from '../../src/staging/transfer-error.js'
import { generated } from '../helpers/job-files/content.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { createTransferTools, openBelow, type TestTools } from '../helpers/transfer-tools.js'

/** What is at the other end of an action: Galaxy, its file system, or nothing but the action itself. */
export interface OtherEnd {
  readonly http?: HttpClient
  /** Puts `content` there under `name`; the action that fetches it. */
  offer?(name: string, content: Buffer): Promise<ActionSpec>
  /** The action that fetches what is not there; undefined where that cannot be. */
  offerNothing?(name: string): Promise<ActionSpec>
  /** The action that delivers under `name`. */
  expect?(name: string): Promise<ActionSpec>
  /** What was delivered. */
  delivered?(name: string): Promise<Buffer | undefined>
}

export interface StagingActionUnderTest {
  readonly action: StagingAction
  /** Why it cannot be tested here. */
  readonly missing?: string | undefined
  /** Of contents that it can carry; by default any bytes. */
  readonly textOnly?: boolean
  /** Called in each test; what it starts it ends with the test. */
  open(): Promise<OtherEnd>
}

const SIZES = [0, 1, 65_536, 65_537, 1_048_576, 1_048_577, 1_500_000]
const NAMES = [
  'plain',
  'sp ace\'quo"te',
  'ümlaut-日本',
  'per%cent&and=?#+.dat',
  '-dash',
  'dot.',
  '$HOME `x`;y',
]

/** What every staging action keeps; each runs it against the real thing at the other end. */
export function describeStagingAction(subject: StagingActionUnderTest): void {
  const { action } = subject
  const contentOf = (bytes: number, seed = bytes): Buffer => {
    const content = generated(bytes, seed).read(0, bytes)
    return subject.textOnly ? Buffer.from(content.toString('base64').slice(0, bytes)) : content
  }

  async function start(): Promise<{
    base: string
    end: OtherEnd
    tools: TestTools
    at(...names: string[]): LocalFile
  }> {
    const base = path.join(await tempDirectory(), 'inputs')
    await mkdir(base)
    const end = await subject.open()
    return { base, end, tools: createTransferTools(end.http), at: (...components) => ({ base, components }) }
  }

  describe(`${action.type} keeps the contract of staging actions`, needs(subject.missing), () => {
    it('has a wire name, and moves files only when the node is to move them', () => {
      expect(action.type).toMatch(/^[a-z_]+$/)
      expect(['node', 'client', 'nobody']).toContain(action.movedBy)
      if (action.movedBy !== 'node') expect([action.stageIn, action.stageOut]).toEqual([undefined, undefined])
      else expect(action.stageIn ?? action.stageOut).toBeTypeOf('function')
    })

    if (action.stageIn) describeStageIn(action.stageIn, contentOf, start)
    if (action.stageOut) describeStageOut(action.stageOut, contentOf, start)
  })
}

type Start = () => Promise<{
  base: string
  end: OtherEnd
  tools: TestTools
  at(...names: string[]): LocalFile
}>

function describeStageIn(
  stageIn: NonNullable<StagingAction['stageIn']>,
  contentOf: (bytes: number, seed?: number) => Buffer,
  start: Start,
): void {
  const offer = (end: OtherEnd, name: string, content: Buffer): Promise<ActionSpec> => {
    if (!end.offer) throw new Error('an action that stages in must be tested with an offer')
    return end.offer(name, content)
  }

  it.each(
    SIZES,
  )('brings a file of %i bytes, makes its directories, and reports what it moved', async (bytes) => {
    const { base, end, tools, at } = await start()
    const content = contentOf(bytes)
    const spec = await offer(end, `of-${bytes}`, content)
    expect(await stageIn(spec, at('a', 'b', 'f'), tools)).toEqual({ bytes: content.length, resumedFrom: 0 })
    expect((await readFile(path.join(base, 'a', 'b', 'f'))).equals(content)).toBe(true)
    expect(await readdir(path.join(base, 'a', 'b'))).toEqual(['f'])
    expect(tools.moved()).toBe(content.length)
    expect(openBelow(base)).toEqual([])
  })

  it('takes names that mean something to shells and addresses', async () => {
    const { base, end, tools, at } = await start()
    for (const [index, name] of NAMES.entries()) {
      const content = contentOf(100 + index)
      await stageIn(await offer(end, name, content), at('d', name), tools)
      expect((await readFile(path.join(base, 'd', name))).equals(content)).toBe(true)
    }
    expect((await readdir(path.join(base, 'd'))).sort()).toEqual([...NAMES].sort())
  })

  it('replaces a file of the name, and a link instead of writing through it', async () => {
    const { base, end, tools, at } = await start()
    const outside = path.join(await tempDirectory(), 'outside')
    await writeFile(outside, 'outside')
    await writeFile(path.join(base, 'old'), 'x'.repeat(100_000))
    await symlink(outside, path.join(base, 'link'))
    const content = contentOf(70_000)
    for (const name of ['old', 'link']) {
      await stageIn(await offer(end, 'new', content), at(name), tools)
      expect((await readFile(path.join(base, name))).equals(content)).toBe(true)
    }
    expect(await readFile(outside, 'utf8')).toBe('outside')
  })

  it('refuses a directory that is a link to elsewhere, for good', async () => {
    const { base, end, tools, at } = await start()
    const outside = await tempDirectory()
    await symlink(outside, path.join(base, 'd'))
    const failure = await stageIn(await offer(end, 'f', contentOf(70_000)), at('d', 'f'), tools).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ name: 'TransferError', transient: false })
    expect(await readdir(outside)).toEqual([])
    expect(openBelow(base)).toEqual([])
  })

  it('fails for good, and leaves nothing, when the source is not there', async () => {
    const { base, end, tools, at } = await start()
    const spec = await end.offerNothing?.('absent')
    if (!spec) return
    const failure = await stageIn(spec, at('f'), tools).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(TransferError)
    expect(failure).toMatchObject({ transient: false })
    expect(await readdir(base)).toEqual([])
    expect(openBelow(base)).toEqual([])
  })

  it('does nothing for a job that was cancelled before', async () => {
    const { base, end, tools, at } = await start()
    const spec = await offer(end, 'f', contentOf(70_000))
    tools.cancel()
    await expect(stageIn(spec, at('f'), tools)).rejects.toThrow('cancelled by the test')
    expect(await readdir(base)).toEqual([])
    expect(openBelow(base)).toEqual([])
  })

  it('brings many files side by side', async () => {
    const { base, end, tools, at } = await start()
    const names = Array.from({ length: 12 }, (_, index) => `f${index}`)
    await Promise.all(
      names.map(async (name, index) => {
        // What is noted belongs to one file.
        const own = tools.forgetful()
        await stageIn(await offer(end, name, contentOf(60_000 + index * 1000, index)), at('many', name), own)
      }),
    )
    for (const [index, name] of names.entries()) {
      const found = await readFile(path.join(base, 'many', name))
      expect(found.equals(contentOf(60_000 + index * 1000, index))).toBe(true)
    }
    expect((await readdir(path.join(base, 'many'))).sort()).toEqual([...names].sort())
    expect(openBelow(base)).toEqual([])
  })
}

function describeStageOut(
  stageOut: NonNullable<StagingAction['stageOut']>,
  contentOf: (bytes: number, seed?: number) => Buffer,
  start: Start,
): void {
  const to = (end: OtherEnd, name: string): Promise<ActionSpec> => {
    if (!end.expect || !end.delivered)
      throw new Error('an action that stages out must be tested with a receiver')
    return end.expect(name)
  }

  it.each(SIZES)('delivers a file of %i bytes and reports what it moved', async (bytes) => {
    const { base, end, tools, at } = await start()
    const content = contentOf(bytes)
    await writeFile(path.join(base, 'f'), content)
    expect(await stageOut(await to(end, `of-${bytes}`), at('f'), tools)).toEqual({ bytes, resumedFrom: 0 })
    expect((await end.delivered?.(`of-${bytes}`))?.equals(content)).toBe(true)
    expect(tools.moved()).toBe(bytes)
    expect(openBelow(base)).toEqual([])
  })

  it('takes names that mean something to shells and addresses', async () => {
    const { base, end, tools, at } = await start()
    await mkdir(path.join(base, 'd'))
    for (const [index, name] of NAMES.entries()) {
      const content = contentOf(100 + index)
      await writeFile(path.join(base, 'd', name), content)
      await stageOut(await to(end, name), at('d', name), tools)
      expect((await end.delivered?.(name))?.equals(content)).toBe(true)
    }
  })

  it('does no harm by delivering again', async () => {
    const { base, end, tools, at } = await start()
    const content = contentOf(70_000)
    await writeFile(path.join(base, 'f'), content)
    for (let time = 0; time < 2; time++) await stageOut(await to(end, 'twice'), at('f'), tools.again())
    expect((await end.delivered?.('twice'))?.equals(content)).toBe(true)
  })

  it('says for good that a file is missing, and what is no file', async () => {
    const { base, end, tools, at } = await start()
    await mkdir(path.join(base, 'directory'))
    const failureOf = async (name: string): Promise<unknown> =>
      stageOut(await to(end, 'absent'), at(name), tools).catch((error: unknown) => error)
    expect(await failureOf('absent')).toMatchObject({
      name: 'TransferError',
      transient: false,
      missingFile: true,
    })
    expect(await failureOf('directory')).toMatchObject({
      name: 'TransferError',
      transient: false,
      missingFile: false,
    })
    expect(await end.delivered?.('absent')).toBeUndefined()
    expect(openBelow(base)).toEqual([])
  })

  it('delivers nothing from outside the job', async () => {
    const { base, end, tools, at } = await start()
    const outside = await tempDirectory()
    await writeFile(path.join(outside, 'secret'), 'secret')
    await symlink(path.join(outside, 'secret'), path.join(base, 'link'))
    const failure = await stageOut(await to(end, 'leak'), at('link'), tools).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'TransferError', transient: false })
    expect(await end.delivered?.('leak')).toBeUndefined()
  })

  it('does nothing for a job that was cancelled before', async () => {
    const { base, end, tools, at } = await start()
    await writeFile(path.join(base, 'f'), contentOf(70_000))
    tools.cancel()
    await expect(stageOut(await to(end, 'cancelled'), at('f'), tools)).rejects.toThrow(
      'cancelled by the test',
    )
    expect(await end.delivered?.('cancelled')).toBeUndefined()
    expect(openBelow(base)).toEqual([])
  })
}
