import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, MagnetarError } from '../../lib/errors.js'
import { quoteForShell } from '../../lib/shell.js'
import { defineStep } from '../define-step.js'
import { fingerprint } from '../files/fingerprint.js'
import { mergeWhole } from '../files/managed-file.js'
import { COMMANDS } from '../release/contents.js'
import { isLinkTo, isThere } from '../release/present.js'
import type {
  Change,
  Conflict,
  Managed,
  ManagedFile,
  Manifest,
  NodePaths,
  Owner,
  StepPlan,
} from '../types.js'
import { installContext } from './runtime.js'

const STEP = 'launchers'
const NODE_TARGET = '../lib/current/node'
const FOREIGN_NODE = "is not the link to the node's own runtime. It is left as it is; --force replaces it"

interface Launcher {
  readonly path: string
  readonly mode: number
  readonly wanted: string
  /** undefined: there is none. */
  readonly found: string | undefined
  /** It is what setup wrote for another prefix, from which the installation was moved or copied. */
  readonly moved: boolean
}

export interface LaunchersState {
  readonly launchers: readonly Launcher[]
  /** bin/node: as wanted, something else, nothing. */
  readonly node: 'wanted' | 'other' | 'none'
}

/** The commands in bin: shell scripts that start what lib/current has, so a release is switched without touching them. */
export const launchersStep = defineStep<LaunchersState>({
  id: STEP,
  title: 'commands in bin',
  inspect: ({ paths, source }) => inspectLaunchers(paths, join(source.root, 'templates', 'bin')),
  plan: (context, state) => planLaunchers({ ...installContext(context), ...context }, state),
  async remove({ paths, manifest }) {
    const names = [...COMMANDS, 'activate'].map((name) => join(paths.bin, name))
    const ours = names.filter((path) => manifest?.files[path] !== undefined)
    const node = join(paths.bin, 'node')
    if (await isLinkTo(node, NODE_TARGET)) ours.push(node)
    const there = await Promise.all(ours.map(isThere))
    return ours
      .filter((_path, index) => there[index])
      .map((path) => ({ kind: 'remove', step: STEP, title: `remove ${path}`, counts: 'file', path }))
  },
})

/**
 * @param templates `templates/bin` of the release whose launchers are wanted
 * @throws RELEASE_UNKNOWN when that release has none
 */
export async function inspectLaunchers(paths: NodePaths, templates: string): Promise<LaunchersState> {
  const [launcher, activate] = await Promise.all(
    ['launcher', 'activate'].map((name) => readTemplate(join(templates, name))),
  )
  const wanted = COMMANDS.map((name) => ({
    path: join(paths.bin, name),
    mode: 0o755,
    wanted: (launcher ?? '').replaceAll('@NAME@', name),
  }))
  wanted.push({
    path: join(paths.bin, 'activate'),
    mode: 0o644,
    wanted: (activate ?? '').replaceAll('@PREFIX@', () => quoteForShell(paths.prefix)),
  })
  const anyPrefix = matchTemplate(activate ?? '')
  const launchers = await Promise.all(
    wanted.map(async (file) => {
      const found = await readIfThere(file.path)
      return { ...file, found, moved: found !== undefined && anyPrefix.test(found) }
    }),
  )
  const node = join(paths.bin, 'node')
  const linked = (await isLinkTo(node, NODE_TARGET)) ? 'wanted' : (await isThere(node)) ? 'other' : 'none'
  return { launchers, node: linked }
}

export interface LaunchersContext {
  readonly paths: NodePaths
  readonly owner: Owner | undefined
  readonly manifest: Manifest | undefined
  readonly force: boolean
}

/** What is in bin and not written by setup stays: a Python Pulsar may live there. Pure. */
export function planLaunchers(
  { paths, owner, manifest, force }: LaunchersContext,
  { launchers, node }: LaunchersState,
): Partial<StepPlan> & Managed {
  const changes: Change[] = []
  const conflicts: Conflict[] = []
  const notes: string[] = []
  const files: Record<string, ManagedFile> = {}
  for (const { path, mode, wanted, found, moved } of launchers) {
    const written =
      moved && found !== undefined ? { whole: fingerprint(found, false) } : manifest?.files[path]
    const merge = mergeWhole({ path, current: found, wanted, explicit: true, written, force })
    files[path] = merge.managed
    conflicts.push(...merge.conflicts)
    notes.push(...merge.notes)
    if (merge.action !== 'write') continue
    changes.push({
      kind: 'file',
      step: STEP,
      title: `${found === undefined ? 'create' : 'replace'} ${path}`,
      counts: 'file',
      path,
      mode,
      owner,
      before: found,
      after: wanted,
      secretKeys: [],
      backup: merge.backup,
    })
  }
  const path = join(paths.bin, 'node')
  if (node === 'other' && !force) conflicts.push({ path, key: undefined, message: `${path} ${FOREIGN_NODE}` })
  else if (node !== 'wanted') {
    if (node === 'other')
      changes.push({ kind: 'remove', step: STEP, title: `remove ${path}`, counts: 'other', path })
    changes.push({
      kind: 'link',
      step: STEP,
      title: `link ${path} to the runtime`,
      counts: 'other',
      path,
      target: NODE_TARGET,
      owner,
    })
  }
  return { changes, conflicts, notes, files }
}

/** What the template becomes, with any prefix. */
function matchTemplate(template: string): RegExp {
  const parts = template.split('@PREFIX@').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^\\n]+')}$`)
}

async function readTemplate(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new MagnetarError(
      'RELEASE_UNKNOWN',
      `the release has no ${path}: it is incomplete, or too old for this`,
      {
        cause: error,
      },
    )
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}
