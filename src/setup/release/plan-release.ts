import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Change, LinkChange, NodePaths, Owner, RemoveChange } from '../types.js'
import { readPackageManifest } from './closure.js'
import { copyRelease, digestFiles, listReleaseFiles, NODE_LINK, type ReleaseFile } from './contents.js'
import type { InstallContext } from './install.js'
import {
  type InstalledRelease,
  type InstalledReleases,
  isIntact,
  previousLink,
  readReleases,
  releaseTarget,
  runtimeTarget,
} from './installed.js'
import { isThere } from './present.js'

const STEP = 'release'
/** Besides the one that runs: what rollback can go to. */
const KEPT_RELEASES = 3

/** What a release and the disk are like; gathered by `inspectRelease`. */
export interface ReleaseState {
  readonly version: string
  readonly digest: string
  readonly files: readonly ReleaseFile[]
  readonly releases: InstalledReleases
  /** The release that is to run. */
  readonly name: string
  readonly present: 'intact' | 'damaged' | 'no'
  /** Directories below lib/node that setup made. */
  readonly runtimes: readonly string[]
  /** For people. */
  readonly notes: readonly string[]
}

/**
 * Reads the package to be installed and what is there.
 * @throws RELEASE_UNKNOWN when it is no package, not compiled, or incomplete
 */
export async function inspectRelease(
  context: InstallContext,
  runtimes: readonly string[],
): Promise<ReleaseState> {
  const { paths, source } = context
  const [manifest, releases] = await Promise.all([readPackageManifest(source.root), readReleases(paths)])
  const own = await findOwn(paths, releases, source.root)
  if (own) {
    const { name, version, digest } = own
    const repair = `release ${name} is not as it was installed; to mend it, run setup from a checkout or an unpacked package`
    const notes = (await isIntact(paths, own)) ? [] : [repair]
    return { version, digest, files: [], releases, name, present: 'intact', runtimes, notes }
  }
  const files = await listReleaseFiles(source.root, manifest)
  const digest = await digestFiles(files)
  const same = releases.all.find((release) => release.digest === digest)
  const name = same?.name ?? freeName(releases, manifest.version, digest)
  const there = await isThere(join(paths.releases, name))
  const present = same && (await isIntact(paths, same)) ? 'intact' : there ? 'damaged' : 'no'
  return { version: manifest.version, digest, files, releases, name, present, runtimes, notes: [] }
}

/** The installed release that runs this: it cannot be installed from itself. */
async function findOwn(
  paths: NodePaths,
  { all }: InstalledReleases,
  root: string,
): Promise<InstalledRelease | undefined> {
  const real = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined)
  const [directory, releases] = await Promise.all([real(root), real(paths.releases)])
  return all.find(({ name }) => releases !== undefined && join(releases, name) === directory)
}

/** Two builds of a version stand side by side, so that the server that runs is not disturbed and can be gone back to. */
function freeName({ all }: InstalledReleases, version: string, digest: string): string {
  return all.some(({ name }) => name === version) ? `${version}+${digest.slice(0, 8)}` : version
}

export interface ReleasePlan {
  /** Makes the release beside the others; nothing of what runs changes. */
  readonly install: readonly Change[]
  /** Makes it the one that runs from its next start. */
  readonly select: readonly Change[]
  /** Removes what is older than the last releases, and runtimes that no release uses. */
  readonly prune: readonly Change[]
}

/** The changes that make `state.name` the release that runs, with the runtime of that name; pure. */
export function planRelease(context: InstallContext, state: ReleaseState, runtime: string): ReleasePlan {
  const { paths, owner } = context
  const { name, present, releases } = state
  const known = releases.all.find((release) => release.name === name)
  const install: Change[] = []
  if (present === 'damaged') {
    install.push(removal(join(paths.releases, name), `remove the damaged release ${name}`, 'release'))
  }
  if (present !== 'intact') install.push(tree(context, state))
  if (present !== 'intact' || known?.runtime !== runtime) {
    const title = `run release ${name} with Node.js ${runtime}`
    install.push(link(join(paths.releases, name, NODE_LINK), runtimeTarget(runtime), owner, title))
  }
  const select = planSelection(paths, owner, releases, name)
  const changed = install.length > 0 || select.length > 0
  return { install, select, prune: changed ? planPruning(paths, state, runtime) : [] }
}

function tree({ paths, owner }: InstallContext, { name, version, digest, files }: ReleaseState): Change {
  const path = join(paths.releases, name)
  return {
    kind: 'tree',
    step: STEP,
    title: `install release ${name} in ${path}`,
    counts: 'release',
    path,
    owner,
    build: (target, progress, signal) => copyRelease(files, { version, digest }, target, progress, signal),
  }
}

/** Points lib/current at `name` and lib/previous at what ran so far; nothing when it is so. The link that counts comes last. */
export function planSelection(
  paths: NodePaths,
  owner: Owner | undefined,
  releases: InstalledReleases,
  name: string,
): LinkChange[] {
  const { current, previous } = releases
  if (current === name) return []
  const change = link(paths.current, releaseTarget(name), owner, `switch to release ${name}`)
  // A link to a release that is gone is not worth remembering.
  if (current === previous || !releases.all.some((release) => release.name === current)) return [change]
  const remember = `remember release ${current} as the one before`
  return [link(previousLink(paths), releaseTarget(current ?? ''), owner, remember), change]
}

function planPruning(paths: NodePaths, state: ReleaseState, runtime: string): RemoveChange[] {
  const { all, current } = state.releases
  const others = all.filter((release) => release.name !== state.name)
  const before = current === state.name ? state.releases.previous : current
  const ranked = [
    ...others.filter(({ name }) => name === before),
    ...others.filter(({ name }) => name !== before),
  ]
  const kept = ranked.slice(0, KEPT_RELEASES - 1)
  const inUse = new Set([runtime, ...kept.map((release: InstalledRelease) => release.runtime)])
  return [
    ...ranked
      .slice(KEPT_RELEASES - 1)
      .map(({ name }) => removal(join(paths.releases, name), `remove the old release ${name}`, 'release')),
    ...state.runtimes
      .filter((name) => !inUse.has(name))
      .map((name) =>
        removal(join(paths.runtimes, name), `remove Node.js ${name}, which no release uses`, 'runtime'),
      ),
  ]
}

function link(path: string, target: string, owner: Owner | undefined, title: string): LinkChange {
  return { kind: 'link', step: STEP, title, counts: 'other', path, target, owner }
}

function removal(path: string, title: string, counts: 'release' | 'runtime'): RemoveChange {
  return { kind: 'remove', step: STEP, title, counts, path }
}
