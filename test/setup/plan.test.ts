import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { planLeftovers } from '../../src/setup/apply/leftovers.js'
import { defineStep } from '../../src/setup/define-step.js'
import { nodePaths } from '../../src/setup/paths.js'
import { makePlan } from '../../src/setup/plan.js'
import type { Change, Manifest, Step, StepPlan } from '../../src/setup/types.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { rootFacts } from './answer-fixtures.js'
import { contextFor } from './context-fixture.js'
import { snapshot } from './tree-snapshot.js'

const digest = 'a'.repeat(64)

function step(id: string, planned: Partial<StepPlan> & { files?: Manifest['files'] }): Step {
  return defineStep({ id, title: id, inspect: async () => undefined, plan: () => planned })
}

function aDirectory(path: string, more: Partial<Change> = {}): Change {
  const change = {
    kind: 'directory',
    step: 'x',
    title: path,
    counts: 'directory',
    path,
    mode: 0o755,
    owner: undefined,
  }
  return { ...change, ...more } as Change
}

async function makePrefix(): Promise<string> {
  const prefix = join(await tempDirectory(), 'node')
  for (const path of ['', 'bin', 'etc', 'lib', 'lib/releases', 'lib/node', 'var', 'var/jobs'])
    mkdirSync(join(prefix, path))
  return prefix
}

describe('makePlan', () => {
  it('asks the steps in turn, each with what those before it plan', async () => {
    const prefix = await makePrefix()
    const [one, two] = [aDirectory(join(prefix, 'one')), aDirectory(join(prefix, 'two'))]
    const seen: string[][] = []
    const watching = (id: string, changes: Change[]): Step => ({
      id,
      title: id,
      async plan(_context, earlier) {
        seen.push(earlier.map(({ title }) => title))
        return { changes, conflicts: [], notes: [`note of ${id}`] }
      },
    })
    const conflict = { path: '/x', key: undefined, message: 'no' }
    const steps = [watching('a', [one]), step('b', { conflicts: [conflict] }), watching('c', [two])]
    const plan = await makePlan(contextFor({ prefix }), steps)
    expect(plan).toMatchObject({
      changes: [one, two],
      conflicts: [conflict],
      notes: ['note of a', 'note of c'],
    })
    expect(seen).toEqual([[], [one.title]])
  })

  it('remembers the answers without the token and without what was not answered', async () => {
    const prefix = await makePrefix()
    const context = contextFor({ prefix, answers: { token: 'secret', partition: undefined, port: 9000 } })
    const { answers } = (await makePlan(context, [])).manifest
    expect(answers).toMatchObject({ prefix, port: 9000, manager: 'slurm' })
    expect(Object.keys(answers)).not.toContain('token')
    expect(Object.keys(answers)).not.toContain('partition')
  })

  it('takes the files of the steps, keeps those of before that are there, and forgets those that are removed or gone', async () => {
    const prefix = await makePrefix()
    const [kept, removed, below, gone, written] = ['kept', 'removed', 'removed/below', 'gone', 'written'].map(
      (name) => join(prefix, 'etc', name),
    ) as [string, string, string, string, string]
    mkdirSync(removed)
    for (const file of [kept, below]) writeFileSync(file, '')
    const files = Object.fromEntries(
      [kept, removed, below, gone, written].map((file) => [file, { whole: digest }]),
    )
    const manifest: Manifest = { version: 1, answers: {}, files, madeUser: false }
    const removal = { ...aDirectory(removed), kind: 'remove' } as Change
    const steps = [step('a', { changes: [removal] }), step('b', { files: { [written]: { keys: {} } } })]
    const plan = await makePlan(contextFor({ prefix, manifest }), steps)
    expect(plan.manifest.files).toEqual({ [kept]: { whole: digest }, [written]: { keys: {} } })
  })

  it.each([
    [false, false, false],
    [false, true, true],
    [true, false, true],
  ])('remembers who made the user (before: %s, now: %s)', async (before, now, madeUser) => {
    const prefix = await makePrefix()
    const manifest: Manifest = { version: 1, answers: {}, files: {}, madeUser: before }
    const change = aDirectory(join(prefix, 'x'), { counts: now ? 'user' : 'other' })
    const plan = await makePlan(contextFor({ prefix, manifest }), [step('a', { changes: [change] })])
    expect(plan.manifest.madeUser).toBe(madeUser)
  })

  it(
    'names every link on the way to a change before anything is done',
    needs(process.geteuid?.() === 0 ? undefined : 'not root: links of others are what it is about'),
    async () => {
      const prefix = await makePrefix()
      for (const name of ['deps', 'log']) symlinkSync('/nowhere', join(prefix, 'var', name))
      const changes = [aDirectory(join(prefix, 'var', 'deps', 'x')), aDirectory(join(prefix, 'var', 'log'))]
      await expect(makePlan(contextFor({ prefix }), [step('a', { changes })])).rejects.toMatchObject({
        code: 'SETUP_CONFLICT',
        message: expect.stringMatching(/var\/deps is a symbolic link.*\n.*var\/log is a symbolic link/),
      })
      const link = { ...aDirectory(join(prefix, 'var', 'log')), kind: 'link', target: 'x' } as Change
      expect((await makePlan(contextFor({ prefix }), [step('a', { changes: [link] })])).changes).toEqual([
        link,
      ])
    },
  )

  it('only reads, and ends when it is aborted', async () => {
    const prefix = await makePrefix()
    writeFileSync(join(prefix, 'lib', '.setup.json.magnetar-new'), 'half')
    const before = snapshot(prefix)
    await makePlan(contextFor({ prefix }), [step('a', { changes: [aDirectory(join(prefix, 'x'))] })])
    expect(snapshot(prefix)).toEqual(before)
    const context = { ...contextFor({ prefix }), signal: AbortSignal.abort(new Error('enough')) }
    await expect(makePlan(context, [step('a', {})])).rejects.toThrow('enough')
  })

  it('begins with what a killed run left, also beside files that only the manifest or the service knows', async () => {
    const prefix = await makePrefix()
    const [elsewhere, programs] = [await tempDirectory(), await tempDirectory()]
    const leftovers = [
      join(prefix, '.bin.magnetar-old'),
      join(prefix, 'etc', '.app.yml.magnetar-new'),
      join(prefix, 'lib', 'node', '.24.magnetar-new'),
      join(prefix, '..', '.node.magnetar-old'),
      join(elsewhere, '.known.conf.magnetar-old'),
      join(programs, '.pulsar.conf.magnetar-old'),
    ]
    const others = [
      join(prefix, 'etc', '.hidden'),
      join(prefix, 'etc', '.magnetar-new'),
      join(prefix, 'var', 'jobs', '.x.magnetar-old'),
      join(prefix, '..', '.other.magnetar-old'),
      join(programs, '.somebody.conf.magnetar-new'),
    ]
    for (const file of [...leftovers, ...others]) writeFileSync(file, '')
    const files = { [join(elsewhere, 'known.conf')]: { whole: digest } }
    const manifest: Manifest = { version: 1, answers: {}, files, madeUser: false }
    const supervisor = rootFacts.supervisor && { ...rootFacts.supervisor, programsDirectory: programs }
    const change = aDirectory(join(prefix, 'etc', 'x'))
    const plan = await makePlan(contextFor({ prefix, manifest, facts: { supervisor } }), [
      step('a', { changes: [change] }),
    ])
    const paths = plan.changes.flatMap((each) => (each.kind === 'remove' ? [each.path] : []))
    expect(paths.sort()).toEqual(leftovers.sort())
    expect(plan.changes.at(-1)).toEqual(change)
  })
})

describe('planLeftovers', () => {
  it('finds nothing where there is no node', async () => {
    const prefix = join(await tempDirectory(), 'none', 'node')
    expect(
      await planLeftovers(nodePaths(prefix, undefined), ['/no/such/file', join(prefix, 'x'.repeat(300))]),
    ).toEqual([])
  })
})
