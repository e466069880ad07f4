import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CommandResult, runCommand } from '../../src/lib/exec.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { bundleProgram } from './bundle-program.js'
import { snapshot } from './tree-snapshot.js'
import { apply, makeBefore, plan } from './varied-plan.js'

const AT_ONCE = 2
const MANIFEST = './node/lib/setup.json'
const TIMEOUT_MS = 300_000
let program = ''

beforeAll(async () => {
  program = await bundleProgram('test/setup/killed-run.ts')
}, 60_000)

interface Point {
  readonly kind: 'event' | 'call'
  readonly number: number
  readonly fail: boolean
}

async function startRun(root: string, { kind, number, fail }: Point): Promise<CommandResult> {
  const args = [program, root, kind, String(number), ...(fail ? ['fail'] : [])]
  return runCommand(process.execPath, args, { timeoutMs: 60_000 })
}

interface Points {
  readonly event: number
  readonly call: number
  readonly callsBeforeFailure: number
}

/** How many points there are to be killed at. */
async function countPoints(fail: boolean): Promise<Points> {
  const root = await tempDirectory()
  await makeBefore(root)
  const result = await startRun(root, { kind: 'event', number: -1, fail })
  expect(result).toMatchObject({ code: 0, stderr: '' })
  return JSON.parse(result.stdout)
}

/** The tree, without what depends on where it is. */
function treeOf(root: string): Record<string, string> {
  const entries = Object.entries(snapshot(root))
  return Object.fromEntries(entries.map(([name, what]) => [name, what.replaceAll(root, '')]))
}

/** The tree that one run makes, with nothing in its way. */
async function makeWhole(): Promise<Record<string, string>> {
  const root = await tempDirectory()
  await makeBefore(root)
  await apply(root, await plan(root))
  return treeOf(root)
}

/** Kills a run at each point, sets up again, and compares what is there then. */
async function expectSameEnd(points: readonly Point[]): Promise<void> {
  const whole = await makeWhole()
  const waiting = [...points]
  const work = async (): Promise<void> => {
    for (let point = waiting.pop(); point; point = waiting.pop()) {
      const root = await tempDirectory()
      await makeBefore(root)
      expect(await startRun(root, point), JSON.stringify(point)).toMatchObject({ signal: 'SIGKILL' })
      const end = { ...whole, [MANIFEST]: expectedManifest(root, whole[MANIFEST] ?? '', point) }
      const result = await apply(root, await plan(root), { tools: { flushTree: async () => {} } })
      expect(result, JSON.stringify(point)).toMatchObject({ interrupted: false, warnings: [] })
      expect(treeOf(root), JSON.stringify(point)).toEqual(end)
      expect((await plan(root)).changes, JSON.stringify(point)).toEqual([])
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

/**
 * The one thing that may be forgotten is who made the user: when it was killed after that and before the manifest said so, which it
 * does before the next change begins.
 */
function expectedManifest(root: string, whole: string, { kind, number }: Point): string {
  const isForgotten =
    existsSync(join(root, 'machine', 'accounts')) &&
    readFileSync(join(root, 'node', 'lib', 'setup.json'), 'utf8').includes('"madeUser": false')
  expect(isForgotten && kind === 'event' && number > 1).toBe(false)
  return isForgotten ? whole.replace('\\"madeUser\\": true', '\\"madeUser\\": false') : whole
}

describe('a run that is killed', { timeout: TIMEOUT_MS }, () => {
  it('at any event is brought by the next to the end that one run has', async () => {
    const { event } = await countPoints(false)
    expect(event).toBeGreaterThan(40)
    await expectSameEnd(
      Array.from({ length: event }, (_, number) => ({ kind: 'event', number, fail: false })),
    )
  })

  it('at any change of the disk is brought by the next to the end that one run has', async () => {
    const { call } = await countPoints(false)
    expect(call).toBeGreaterThan(100)
    await expectSameEnd(Array.from({ length: call }, (_, number) => ({ kind: 'call', number, fail: false })))
  })

  it('while it undoes is brought by the next to the end that one run has', async () => {
    const { call, callsBeforeFailure } = await countPoints(true)
    expect(call - callsBeforeFailure).toBeGreaterThan(20)
    await expectSameEnd(
      Array.from({ length: call - callsBeforeFailure }, (_, index) => ({
        kind: 'call',
        number: callsBeforeFailure + index,
        fail: true,
      })),
    )
  })
})
