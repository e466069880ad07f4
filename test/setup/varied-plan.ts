/** A node before and after: a plan in which each kind of change comes in each of its forms, for tests that fail it or kill it anywhere. */
import { createHash } from 'node:crypto'
import { chmod, lchown, lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type ApplyOptions, type ApplyResult, applyPlan } from '../../src/setup/apply/apply.js'
import { defineStep } from '../../src/setup/define-step.js'
import { readManifest, renderManifest } from '../../src/setup/manifest.js'
import { makePlan } from '../../src/setup/plan.js'
import type {
  Change,
  CommandChange,
  FileChange,
  ManagedFile,
  Owner,
  Plan,
  Step,
  SupervisorFacts,
  TreeChange,
} from '../../src/setup/types.js'
import { rootFacts } from './answer-fixtures.js'
import { contextFor } from './context-fixture.js'

export const isRoot = process.geteuid?.() === 0
/** Without root everything belongs to whoever runs the tests. */
const owner: Owner | undefined = isRoot ? { user: 'daemon', group: 'daemon' } : undefined
const DAEMON = 1

export const TOKEN = 'a-token-that-nobody-may-see'

const at = (root: string) => ({
  prefix: join(root, 'node'),
  accounts: join(root, 'machine', 'accounts'),
  /** Where units are, as if Supervisor were given up for systemd. */
  program: join(root, 'machine', 'units', 'pulsar.service'),
  oldProgram: join(root, 'machine', 'conf.d', 'pulsar.conf'),
  running: join(root, 'machine', 'running'),
})

/** Makes the machine and the node as the first setup and some hands have left them. */
export async function makeBefore(root: string): Promise<void> {
  const { prefix, program, oldProgram } = at(root)
  for (const path of ['', 'etc', 'bin', 'lib', 'lib/node', 'lib/releases'])
    await directory(join(prefix, path), path === 'etc' ? 0o700 : 0o755)
  for (const path of [dirname(program), dirname(oldProgram)]) await directory(path, 0o755)
  await file(join(prefix, 'etc', 'app.yml'), 'private_token: old-token\n', 0o644, DAEMON)
  await file(join(prefix, 'etc', 'local_env.sh'), 'export A=1\n', 0o600)
  await file(join(prefix, 'bin', 'activate'), 'old\n', 0o644)
  await file(join(prefix, 'bin', 'obsolete'), '#!/bin/sh\n', 0o755, DAEMON)
  for (const release of ['lib/releases/0.9', 'lib/releases/1.0', 'lib/node/20'])
    await tree(join(prefix, release), `old ${release}`)
  await link(join(prefix, 'lib', 'current'), 'releases/0.9', DAEMON)
  await link(join(prefix, 'bin', 'stale'), 'nowhere')
  await file(program, 'old program\n', 0o640)
  await file(oldProgram, 'to be removed\n', 0o600, DAEMON)
  const files = { [oldProgram]: { whole: sha256('to be removed\n') } }
  const manifest = renderManifest({ version: 1, answers: {}, files, madeUser: false })
  await file(join(prefix, 'lib', 'setup.json'), manifest, 0o644)
}

/** The steps that make it what it is to be; each plans only what is not so yet. */
export function variedSteps(root: string): Step[] {
  const { prefix, accounts, program, oldProgram, running } = at(root)
  const inPrefix = (...parts: string[]): string => join(prefix, ...parts)
  return [
    step('user', async () => ((await exists(accounts)) ? [] : [command(accounts, 'user', 'made')])),
    step('directories', () =>
      planAll([
        planDirectory(inPrefix('etc'), 0o755),
        planDirectory(inPrefix('var'), 0o755),
        planDirectory(inPrefix('var', 'jobs'), 0o750),
      ]),
    ),
    step('runtime', () =>
      planAll([planTree(inPrefix('lib', 'node', '24')), planRemoval(inPrefix('lib', 'node', '20'))]),
    ),
    step('release', async () => {
      const release = inPrefix('lib', 'releases', '1.0')
      const isNew = (await text(join(release, 'dist', 'main.js'))) === 'new 1.0'
      const replaced = isNew ? [] : [...(await planRemoval(release)), ...(await planTree(release, true))]
      return [
        ...replaced,
        ...(await planLink(inPrefix('lib', 'current'), 'releases/1.0')),
        ...(await planLink(inPrefix('bin', 'node'), '../lib/current/node')),
        ...(await planRemoval(inPrefix('lib', 'releases', '0.9'))),
        ...(await planFileTree(inPrefix('bin', 'tool'))),
        ...(await planRemoval(inPrefix('bin', 'obsolete'))),
        ...(await planRemoval(inPrefix('bin', 'stale'))),
      ]
    }),
    step(
      'files',
      () =>
        planAll([
          planFile(inPrefix('etc', 'app.yml'), `private_token: ${TOKEN}\n`, 0o600, { backup: true, owner }),
          planFile(inPrefix('etc', 'server.ini'), '[server:main]\nport = 8913\n', 0o644, { owner }),
          planFile(inPrefix('etc', 'local_env.sh'), 'export A=1\n', 0o644, { owner }),
          planFile(inPrefix('bin', 'activate'), 'new\n', 0o755, { owner: undefined }),
        ]),
      {
        [inPrefix('etc', 'app.yml')]: { whole: sha256(TOKEN) },
        [inPrefix('etc', 'server.ini')]: { whole: sha256('ini') },
      },
    ),
    step(
      'service',
      async () => {
        const wanted = 'new program\n'
        const changes = [
          ...(await planFile(program, wanted, 0o644, { backup: true, owner: undefined })),
          ...(await planRemoval(oldProgram)),
        ]
        return (await text(running)) === wanted ? changes : [...changes, command(running, 'service', wanted)]
      },
      { [program]: { whole: sha256('program') } },
    ),
  ]
}

/** Plans anew from what is there. */
export async function plan(root: string, steps = variedSteps(root)): Promise<Plan> {
  const { prefix, oldProgram } = at(root)
  const supervisor = { ...rootFacts.supervisor, programsDirectory: dirname(oldProgram) } as SupervisorFacts
  const context = contextFor({ prefix, root: isRoot, token: TOKEN, facts: { supervisor } })
  return makePlan({ ...context, manifest: await readManifest(context.paths) }, steps)
}

/** Applies a plan to the node below `root`. */
export function apply(root: string, wanted: Plan, more: Partial<ApplyOptions> = {}): Promise<ApplyResult> {
  const { prefix } = at(root)
  return applyPlan(wanted, {
    prefix,
    manifestFile: join(prefix, 'lib', 'setup.json'),
    keep: false,
    signal: new AbortController().signal,
    ...more,
  })
}

/** A command that fails, put into a plan after its first `position` changes. */
export function failingAfter(wanted: Plan, position: number): Plan {
  const failing: CommandChange = {
    kind: 'command',
    step: 'failing',
    title: 'do what cannot be done',
    counts: 'other',
    argv: ['sh', '-c', 'echo "it cannot be done" >&2; exit 3'],
    timeoutMs: 10_000,
    undo: ['sh', '-c', 'exit 1'],
    touches: [],
  }
  return { ...wanted, changes: wanted.changes.toSpliced(position, 0, failing) }
}

function step(
  id: string,
  changes: () => Promise<Change[]>,
  files: Readonly<Record<string, ManagedFile>> = {},
): Step {
  return defineStep({
    id,
    title: id,
    inspect: changes,
    plan: (_context, planned) => ({
      changes: planned.map((change) => ({ ...change, step: id })),
      files,
    }),
  })
}

async function planAll(parts: readonly Promise<Change[]>[]): Promise<Change[]> {
  return (await Promise.all(parts)).flat()
}

const base = (path: string, verb: string) => ({ step: '', title: `${verb} ${path}`, path })

async function planDirectory(path: string, mode: number): Promise<Change[]> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats && (stats.mode & 0o7777) === mode && isOwned(stats)) return []
  return [{ ...base(path, 'create'), kind: 'directory', counts: 'directory', mode, owner }]
}

async function planFile(
  path: string,
  after: string,
  mode: number,
  { backup = false, owner: its }: { backup?: boolean; owner: Owner | undefined },
): Promise<FileChange[]> {
  const stats = await lstat(path).catch(() => undefined)
  const before = stats && (await readFile(path, 'utf8'))
  const isSame = before === after && stats !== undefined && (stats.mode & 0o7777) === mode
  if (isSame && (its === undefined || isOwned(stats))) return []
  const kind = { kind: 'file', counts: 'file', secretKeys: [] } as const
  return [{ ...base(path, 'write'), ...kind, mode, owner: its, before, after, backup }]
}

async function planLink(path: string, target: string): Promise<Change[]> {
  if ((await readlink(path).catch(() => undefined)) === target) return []
  return [{ ...base(path, 'point'), kind: 'link', counts: 'other', target, owner }]
}

async function planTree(path: string, always = false): Promise<TreeChange[]> {
  if (!always && (await exists(path))) return []
  const build = (target: string): Promise<void> => tree(target, `new ${path.split('/').at(-1)}`)
  return [{ ...base(path, 'install'), kind: 'tree', counts: 'release', owner, build }]
}

async function planFileTree(path: string): Promise<TreeChange[]> {
  if (await exists(path)) return []
  const build = (target: string): Promise<void> => file(target, '#!/bin/sh\n', 0o755)
  return [{ ...base(path, 'install'), kind: 'tree', counts: 'other', owner, build }]
}

async function planRemoval(path: string): Promise<Change[]> {
  return (await exists(path)) ? [{ ...base(path, 'remove'), kind: 'remove', counts: 'other' }] : []
}

/** Writes `content` into a file that the plan knows only by this command. */
function command(path: string, counts: 'user' | 'service', content: string): CommandChange {
  return {
    kind: 'command',
    step: '',
    title: `have ${path} made`,
    counts,
    argv: ['sh', '-c', 'printf %s "$1" > "$2.tmp" && mv "$2.tmp" "$2"', 'sh', content, path],
    timeoutMs: 10_000,
    undo: ['rm', path],
    touches: [],
  }
}

async function directory(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true })
  await chmod(path, mode)
}

async function file(path: string, content: string, mode: number, id?: number): Promise<void> {
  await writeFile(path, content)
  await chmod(path, mode)
  if (isRoot && id !== undefined) await lchown(path, id, id)
}

async function link(path: string, target: string, id?: number): Promise<void> {
  await symlink(target, path)
  if (isRoot && id !== undefined) await lchown(path, id, id)
}

async function tree(path: string, content: string): Promise<void> {
  for (const name of ['', 'dist', 'dist/deep', 'empty']) await directory(join(path, name), 0o755)
  await file(join(path, 'dist', 'main.js'), content, 0o755)
  await file(join(path, 'dist', 'deep', 'secret'), content, 0o400)
  await link(join(path, 'node'), '../../node/24/dist')
}

function isOwned(stats: { uid: number; gid: number }): boolean {
  return !isRoot || (stats.uid === DAEMON && stats.gid === DAEMON)
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}

function text(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}
