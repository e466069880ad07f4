import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { UPLOAD_PREFIX } from '../../../src/lib/confined-file.js'
import type { ActionSpec, StagingAction, Transferred } from '../../../src/staging/action.js'
import { remoteTransfer } from '../../../src/staging/actions/remote-transfer.js'
import { remoteTransferTus } from '../../../src/staging/actions/remote-transfer-tus.js'
import type { HttpClient } from '../../../src/staging/http-client.js'
import { TransferError } from '../../../src/staging/transfer-error.js'
import { contentOf, generated, sha256Of } from '../../helpers/job-files/content.js'
import { createDice, type Dice, randomFault } from '../../helpers/job-files/dice.js'
import type { Fault, Framing, Validators } from '../../helpers/job-files/types.js'
import { type JobFilesServer, startJobFilesServer } from '../../helpers/job-files-server.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools, openBelow } from '../../helpers/transfer-tools.js'
import { openClient } from '../http-fixture.js'

/** A run that fails is run alone with MAGNETAR_FAULT_SEED=its seed. */
const ONLY = process.env.MAGNETAR_FAULT_SEED
const RUNS = 500
const AT_ONCE = 6
const MAX_ATTEMPTS = 40

/** Runs all seeds, some at once, over one server and one client. */
async function runAll(
  one: (seed: number, server: JobFilesServer, http: HttpClient) => Promise<void>,
): Promise<void> {
  const server = await startJobFilesServer()
  const http = openClient({ timeouts: { headersMs: 150, idleMs: 150 } })
  const faults = new Map<string, (Fault | undefined)[]>()
  server.plan = ({ path }) => faults.get(path ?? '')?.shift()
  const seeds = ONLY === undefined ? Array.from({ length: RUNS }, (_, seed) => seed) : [Number(ONLY)]
  planned = faults
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        try {
          await one(seed, server, http)
        } catch (error) {
          throw new Error(`the run with seed ${seed} failed: ${(error as Error).message}`, { cause: error })
        }
      }
    }),
  )
}

let planned = new Map<string, (Fault | undefined)[]>()

/** Tries until it works; every failure on the way is a clear one that does not tell the key. */
async function persist(
  server: JobFilesServer,
  http: HttpClient,
  attempt: (tools: ReturnType<typeof createTransferTools>) => Promise<Transferred> | undefined,
  between: (forgets: boolean) => void,
  dice: Dice,
): Promise<{ done: Transferred; moved: number; hasForgotten: boolean }> {
  let tools = createTransferTools(http)
  let moved = 0
  let hasForgotten = false
  for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts++) {
    try {
      const done = await attempt(tools)
      if (!done) throw new Error('the action does not do this')
      return { done, moved: moved + tools.moved(), hasForgotten }
    } catch (error) {
      if (!(error instanceof TransferError)) throw error
      const told = [...tools.log.lines, error.stack].join('\n')
      if (told.includes(server.key)) throw new Error(`the key is told: ${told}`)
    }
    moved += tools.moved()
    // As after a crash, now and then.
    const forgets = dice.below(4) === 0
    hasForgotten ||= forgets
    tools = forgets ? tools.forgetful() : tools.again()
    between(forgets)
  }
  throw new Error(`no success in ${MAX_ATTEMPTS} attempts`)
}

describe('random faults', { timeout: 240_000 }, () => {
  it('never bring a wrong byte in', async () => {
    const root = await tempDirectory()
    await runAll(async (seed, server, http) => {
      const dice = createDice(seed)
      const target = `/run/${seed}`
      const base = path.join(root, String(seed))
      await mkdir(base)
      const validators = dice.oneOf<Validators>(['strong', 'strong', 'weak', 'date', 'young date', 'none'])
      const framing = dice.oneOf<Framing>(['length', 'length', 'length', 'chunked', 'close'])
      const mayChange = dice.below(3) === 0
      let content = generated(dice.size(), seed)
      server.serve(target, content, { validators, framing })
      const faults = Array.from({ length: dice.below(6) }, () =>
        dice.below(5) === 0 ? undefined : randomFault(dice, content.bytes, true, server, target),
      )
      // The most dangerous pair: a part, and a server that goes on with another file as if it were the same.
      if (mayChange)
        faults.unshift({ kind: 'cut', after: dice.below(content.bytes + 1) }, { kind: 'ignore if-range' })
      planned.set(target, faults)
      const change = (): void => {
        if (!mayChange || dice.below(2) === 0) return
        content = generated(dice.below(2) === 0 ? content.bytes : dice.size(), seed + 1000 + dice.below(1000))
        server.serve(target, content, { validators, framing })
      }
      const to = { base, components: ['f'] }
      const spec: ActionSpec = { action_type: 'remote_transfer', url: server.fileUrl(target) }
      const end = await persist(
        server,
        http,
        (tools) => remoteTransfer.stageIn?.(spec, to, tools),
        change,
        dice,
      )
      const found = contentOf(readFileSync(path.join(base, 'f')))
      expect([found.bytes, sha256Of(found)]).toEqual([content.bytes, sha256Of(content)])
      expect(end.done.bytes).toBe(content.bytes)
      // When what was noted of a part got lost and the server then announced another file, a hidden part may be left.
      const names = readdirSync(base).filter((name) => !end.hasForgotten || !name.startsWith(UPLOAD_PREFIX))
      expect(names).toEqual(['f'])
      expect(openBelow(base)).toEqual([])
    })
  })

  it.each<StagingAction>([
    remoteTransfer,
    remoteTransferTus,
  ])('never bring a wrong byte out: $type', async (action) => {
    process.env.PULSAR_TUS_CHUNK_SIZE = '70000'
    onTestFinished(() => {
      delete process.env.PULSAR_TUS_CHUNK_SIZE
    })
    const root = await tempDirectory()
    await runAll(async (seed, server, http) => {
      const dice = createDice(seed)
      const target = `/run/${seed}`
      const base = path.join(root, String(seed))
      await mkdir(base)
      const content = generated(dice.size(), seed)
      await writeFile(path.join(base, 'f'), content.read(0, content.bytes))
      planned.set(
        target,
        Array.from({ length: dice.below(8) }, () =>
          dice.below(3) === 0 ? undefined : randomFault(dice, content.bytes, false, server, target),
        ),
      )
      const from = { base, components: ['f'] }
      const spec: ActionSpec = { action_type: action.type, url: server.fileUrl(target, 'output') }
      const end = await persist(
        server,
        http,
        (tools) => action.stageOut?.(spec, from, tools),
        () => {},
        dice,
      )
      expect(end.done.bytes).toBe(content.bytes)
      expect(server.uploads.get(target)).toMatchObject({ bytes: content.bytes, sha256: sha256Of(content) })
      expect(openBelow(base)).toEqual([])
    })
  })

  it('cost at most 64 KiB more for each resume, as long as the file and its ETag stay', async () => {
    let withRange = 0
    const root = await tempDirectory()
    await runAll(async (seed, server, http) => {
      const dice = createDice(seed)
      const target = `/run/${seed}`
      const base = path.join(root, String(seed))
      await mkdir(base)
      const content = generated(100_000 + dice.below(400_000), seed)
      server.serve(target, content)
      const breaks = Array.from({ length: 1 + dice.below(5) }, (): Fault => {
        const after = dice.below(content.bytes)
        return dice.oneOf<Fault>([
          { kind: 'cut', after },
          { kind: 'cut', after },
          { kind: 'status', status: 503 },
        ])
      })
      planned.set(target, breaks)
      const to = { base, components: ['f'] }
      const spec: ActionSpec = { action_type: 'remote_transfer', url: server.fileUrl(target) }
      const kept: number[] = []
      // The part of a small file is found by its note, or not at all.
      let lost = 0
      const look = (forgets: boolean): void => {
        const parts = readdirSync(base).filter((name) => name.startsWith(UPLOAD_PREFIX))
        const sizes = parts.map((name) => statSync(path.join(base, name)).size)
        kept.push(...sizes)
        if (forgets) lost += sizes.reduce((all, bytes) => all + bytes, 0)
      }
      const end = await persist(
        server,
        http,
        (tools) => remoteTransfer.stageIn?.(spec, to, tools),
        look,
        dice,
      )
      expect(sha256Of(contentOf(readFileSync(path.join(base, 'f'))))).toBe(sha256Of(content))
      // So much is asked for again and compared; what is not more than that begins anew.
      const ranges = server.log.flatMap(({ path: of, range }) => (of === target && range ? [range] : []))
      for (const range of ranges) expect(kept.map((bytes) => `bytes=${bytes - 65_536}-`)).toContain(range)
      const tooSmall = kept.filter((bytes) => bytes <= 65_536)
      const anew = tooSmall.reduce((all, bytes) => all + bytes, 0)
      expect(end.moved).toBeGreaterThanOrEqual(content.bytes)
      expect(end.moved).toBeLessThanOrEqual(content.bytes + anew + lost)
      withRange += ranges.length
    })
    expect(withRange).toBeGreaterThan(ONLY === undefined ? 100 : -1)
  })
})
