/** Another release for a node that is set up: what has to be changed for it, and to take it back. Nothing here writes. */
import { readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import { chooseRuntime } from '../runtime/choose.js'
import { readRuntimes } from '../runtime/installed.js'
import { askNode } from '../runtime/program.js'
import { inspectLaunchers, planLaunchers } from '../steps/launchers.js'
import { planRuntime } from '../steps/runtime.js'
import type { Change, FileChange, LinkChange, Manifest, NodePaths, Plan } from '../types.js'
import { NODE_LINK } from './contents.js'
import type { InstallContext } from './install.js'
import { type InstalledRelease, isIntact, readReleases } from './installed.js'
import { inspectRelease, planRelease, planSelection } from './plan-release.js'

export interface UpgradeContext extends InstallContext {
  readonly manifest: Manifest
}

/** From one release to another, and back. */
export interface ReleaseMove {
  /** Directories below lib/releases. */
  readonly from: string
  readonly to: string
  /** Up to and with the switch; without changes there is nothing to do. */
  readonly plan: Plan
  /** For after the switch has proved good: old releases, and runtimes that none uses. */
  readonly prune: Plan
  /** Undoes the switch; what was installed beside stays. */
  readonly back: Plan
}

/**
 * The move to the release of `context.source`.
 * @throws NODE_NOT_FOUND, RELEASE_UNKNOWN, RUNTIME_UNAVAILABLE
 */
export async function planUpgrade(context: UpgradeContext): Promise<ReleaseMove> {
  const { paths, source, manifest } = context
  const from = await currentRelease(paths)
  const [runtimes, choice] = await Promise.all([readRuntimes(paths), chooseRuntime(context)])
  const names = runtimes.map(({ name }) => name)
  const state = await inspectRelease(context, names)
  const release = planRelease(context, state, choice.name)
  const runtime = planRuntime(context, choice)
  const bin = planLaunchers(
    { ...context, force: false },
    await inspectLaunchers(paths, join(source.root, 'templates', 'bin')),
  )
  const changes = [...runtime.changes, ...release.install, ...(bin.changes ?? []), ...release.select]
  const plan: Plan = {
    changes,
    conflicts: bin.conflicts ?? [],
    notes: [...runtime.notes, ...state.notes, ...(bin.notes ?? [])],
    manifest: { ...manifest, files: { ...manifest.files, ...bin.files } },
  }
  return {
    from,
    to: state.name,
    plan,
    prune: bare(release.prune, plan.manifest),
    back: bare(await reverse(changes), manifest),
  }
}

/**
 * What is left of a move that was cut off after its switch: restarting and the job. The way back is to the release before, if there is
 * one.
 */
export async function resumeMove(
  context: UpgradeContext,
  { to, plan, prune }: ReleaseMove,
): Promise<ReleaseMove> {
  const { previous, all } = await readReleases(context.paths)
  const from = all.find(({ name }) => name === previous && name !== to)?.name
  const back = from === undefined ? bare([], context.manifest) : (await planRollback(context, from)).plan
  return { from: from ?? to, to, plan, prune, back }
}

/**
 * The move back to the release that ran before, or to the one named (a version, or its directory below lib/releases).
 * @throws NODE_NOT_FOUND, RELEASE_UNKNOWN when there is no such release, or it is damaged
 */
export async function planRollback(
  context: UpgradeContext,
  wanted: string | undefined,
): Promise<ReleaseMove> {
  const { paths, owner, manifest, signal } = context
  const from = await currentRelease(paths)
  const releases = await readReleases(paths)
  const name = wanted ?? releases.previous
  const target = releases.all.find((release) => release.name === name || release.version === name)
  if (!target) throw unknownRelease(releases.all, from, wanted)
  await demandUsable(paths, target, signal)
  const bin = planLaunchers(
    { ...context, force: false },
    await inspectLaunchers(paths, join(paths.releases, target.name, 'templates', 'bin')),
  )
  const changes = [...(bin.changes ?? []), ...planSelection(paths, owner, releases, target.name)]
  const plan: Plan = {
    changes,
    conflicts: bin.conflicts ?? [],
    notes: bin.notes ?? [],
    manifest: { ...manifest, files: { ...manifest.files, ...bin.files } },
  }
  const back = bare(await reverse(changes), manifest)
  return { from, to: target.name, plan, prune: bare([], plan.manifest), back }
}

async function currentRelease(paths: NodePaths): Promise<string> {
  const { current, all } = await readReleases(paths)
  if (current !== undefined && all.some(({ name }) => name === current)) return current
  throw new MagnetarError('NODE_NOT_FOUND', `no release of Magnetar is installed in ${paths.prefix}`, {
    fix: `Name the right node with --prefix or --instance, or set it up: magnetar setup --prefix ${paths.prefix}`,
  })
}

function unknownRelease(
  all: readonly InstalledRelease[],
  current: string,
  wanted: string | undefined,
): MagnetarError {
  const others = all.filter(({ name }) => name !== current).map(({ name }) => name)
  const there =
    others.length === 0 ? 'There is no other release to go back to.' : `There are: ${others.join(', ')}.`
  const message =
    wanted === undefined
      ? `no release ran before ${current} that is still installed`
      : `release ${wanted} is not installed`
  return new MagnetarError('RELEASE_UNKNOWN', message, {
    fix: others.length === 0 ? there : `${there} Choose one: magnetar rollback --to ${others[0]}`,
  })
}

async function demandUsable(paths: NodePaths, release: InstalledRelease, signal: AbortSignal): Promise<void> {
  if (!(await isIntact(paths, release))) {
    throw new MagnetarError(
      'RELEASE_UNKNOWN',
      `release ${release.name} is damaged: its files are not as installed`,
      {
        fix: `Install it again: magnetar upgrade --to DIRECTORY_OR_TARBALL_OF_${release.version}`,
      },
    )
  }
  await askNode(join(paths.releases, release.name, NODE_LINK), signal)
}

/** What puts links and files back as they are now; last things first. New directories are left: nothing uses them then. */
async function reverse(changes: readonly Change[]): Promise<Change[]> {
  const reversed = await Promise.all(
    changes.map(async (change): Promise<Change[]> => {
      if (change.kind === 'link') {
        const target = await readlink(change.path).catch(() => undefined)
        if (target === undefined) return [removal(change)]
        return [{ ...change, target, title: `put ${change.path} back` }]
      }
      if (change.kind !== 'file') return []
      const { path, before, after } = change
      return before === undefined
        ? [removal(change)]
        : [{ ...change, before: after, after: before, title: `put ${path} back` }]
    }),
  )
  return reversed.flat().reverse()
}

function removal({ step, counts, path }: FileChange | LinkChange): Change {
  return { kind: 'remove', step, counts, path, title: `remove ${path}` }
}

function bare(changes: readonly Change[], manifest: Manifest): Plan {
  return { changes, conflicts: [], notes: [], manifest }
}
