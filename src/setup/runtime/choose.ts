/** Which runtime the node gets, decided by looking only: what is there, what the answers say, whether the registry answers. */

import { join } from 'node:path'
import type { InstallContext } from '../release/install.js'
import { readReleases } from '../release/installed.js'
import { isThere } from '../release/present.js'
import type { RuntimeBuild } from './build.js'
import { type InstalledRuntime, readRuntimes, runtimeBinary } from './installed.js'
import { integrityComparer, integrityOf, OF_PROGRAMS, OF_TARBALLS } from './integrity.js'
import { demandExec } from './noexec.js'
import { whyNotFetchable } from './npm.js'
import { isAtLeast, OLDEST_VERSION, type PinnedPackage, pinnedPackage } from './pinned.js'
import { askNode } from './program.js'
import { inspectTarball } from './tarball.js'
import { runtimeUnavailable } from './unavailable.js'

export interface RuntimeChoice {
  /** The directory below lib/node. */
  readonly name: string
  /** What has to be made; undefined: it is there and runs. */
  readonly build: RuntimeBuild | undefined
  /** There is something of this name that does not run. */
  readonly replaces: boolean
  readonly notes: readonly string[]
}

/**
 * Decides. Asks the npm registry only when something has to be fetched.
 * @throws RUNTIME_UNAVAILABLE when a program or tarball that was named cannot be used; the signal's reason
 */
export async function chooseRuntime(context: InstallContext): Promise<RuntimeChoice> {
  const { paths, runtime, signal } = context
  const installed = await readRuntimes(paths)
  const kept = runtime.keep ? await currentRuntime(context, installed) : undefined
  if (kept) return here(kept)
  if (runtime.tarball !== undefined) return fromTarball(context, installed, runtime.tarball)
  if (runtime.node !== 'download') return fromProgram(context, installed, runtime.node, [])
  const wanted = pinnedFor(context)
  const pinned = wanted && (await findWorking(context, installed, wanted.integrity))
  if (pinned) return here(pinned)
  const why = wanted
    ? await whyNotFetchable(wanted, signal)
    : 'there is no Node.js in the npm registry for this kind of machine'
  if (wanted && why === undefined) return fromRegistry(context, installed, wanted)
  const current = await currentRuntime(context, installed)
  if (current) return { ...here(current), notes: [`${why}: the node stays on Node.js ${current.version}`] }
  const { path, version } = context.node
  const note = `${why}: the Node that runs this, v${version.replace(/^v/, '')}, is copied`
  return fromProgram(context, installed, path, [note])
}

/** The runtime that would be chosen if nothing had to be made; undefined: something has. Asks no registry. */
export async function findChosenRuntime(context: InstallContext): Promise<string | undefined> {
  const { paths, runtime, signal, node } = context
  const installed = await readRuntimes(paths)
  if (installed.length === 0) return undefined
  const kept = runtime.keep ? await currentRuntime(context, installed) : undefined
  if (kept) return kept.name
  const find = async (wanted: Wanted): Promise<string | undefined> =>
    (await findWorking(context, installed, wanted))?.name
  if (runtime.tarball !== undefined) return find(await integrityOf(runtime.tarball, OF_TARBALLS, signal))
  const copied = async (path: string): Promise<string | undefined> =>
    find(integrityComparer((await askNode(path, signal)).binary, signal))
  if (runtime.node !== 'download') return copied(runtime.node)
  const wanted = pinnedFor(context)
  const pinned = wanted && (await find(wanted.integrity))
  return pinned ?? (await currentRuntime(context, installed))?.name ?? (await copied(node.path))
}

function here({ name }: InstalledRuntime): RuntimeChoice {
  return { name, build: undefined, replaces: false, notes: [] }
}

/** The runtime of the release that runs, if it works and is new enough. */
async function currentRuntime(
  context: InstallContext,
  installed: readonly InstalledRuntime[],
): Promise<InstalledRuntime | undefined> {
  const { all, current } = await readReleases(context.paths)
  const name = all.find((release) => release.name === current)?.runtime
  const found = installed.find((runtime) => runtime.name === name)
  if (!found || !isAtLeast(found.version, OLDEST_VERSION)) return undefined
  return (await works(context, found)) ? found : undefined
}

/** What a runtime was made from: its integrity, or whether one is that of the file meant. */
type Wanted = string | ((integrity: string) => Promise<boolean>)

async function findWorking(
  context: InstallContext,
  installed: readonly InstalledRuntime[],
  wanted: Wanted,
): Promise<InstalledRuntime | undefined> {
  for (const runtime of installed) {
    const { integrity } = runtime
    const isMeant = typeof wanted === 'string' ? integrity === wanted : await wanted(integrity)
    if (isMeant && (await works(context, runtime))) return runtime
  }
  return undefined
}

async function works({ paths, signal }: InstallContext, runtime: InstalledRuntime): Promise<boolean> {
  try {
    return (await askNode(runtimeBinary(paths, runtime.name), signal)).version === runtime.version
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof Error && 'code' in error && error.code === 'RUNTIME_UNAVAILABLE') return false
    throw error
  }
}

async function fromRegistry(
  context: InstallContext,
  installed: readonly InstalledRuntime[],
  wanted: PinnedPackage,
): Promise<RuntimeChoice> {
  const origin = { kind: 'registry', package: wanted } as const
  return toBuild(context, installed, { origin, version: wanted.version, integrity: wanted.integrity }, [])
}

async function fromTarball(
  context: InstallContext,
  installed: readonly InstalledRuntime[],
  file: string,
): Promise<RuntimeChoice> {
  const { signal } = context
  // The digest first: to know the version of an unknown tarball most of it has to be decompressed.
  const known = await integrityOf(file, OF_TARBALLS, signal).catch(() => undefined)
  const there = known && (await findWorking(context, installed, known))
  if (there) return here(there)
  const { top, version, integrity, verified } = await inspectTarball(
    file,
    signal,
    context.pinned ? [context.pinned] : undefined,
  )
  if (!isAtLeast(version, OLDEST_VERSION)) {
    throw runtimeUnavailable(
      `${file} holds Node.js ${version}, and Magnetar needs ${OLDEST_VERSION} or newer`,
    )
  }
  const note = `${file} is not known here: its checksum could not be checked, only that its Node.js ${version} runs`
  const origin = { kind: 'tarball', file, top } as const
  return toBuild(context, installed, { origin, version, integrity }, verified ? [] : [note])
}

async function fromProgram(
  context: InstallContext,
  installed: readonly InstalledRuntime[],
  path: string,
  notes: readonly string[],
): Promise<RuntimeChoice> {
  const { signal } = context
  demandExec(path, 'name another program with --node')
  const program = await askNode(path, signal)
  const there = await findWorking(context, installed, integrityComparer(program.binary, signal))
  if (there) return { ...here(there), notes }
  const shared = program.shared
    ? [
        `${program.binary} needs its libnode of this system: an update of that package changes or breaks the node's runtime`,
      ]
    : []
  const integrity = await integrityOf(program.binary, OF_PROGRAMS, signal)
  const build = { origin: { kind: 'copy', program } as const, version: program.version, integrity }
  return toBuild(context, installed, build, [...notes, ...shared])
}

/** Another build of the same version that works is left, for the releases that use it. */
async function toBuild(
  context: InstallContext,
  installed: readonly InstalledRuntime[],
  build: RuntimeBuild,
  notes: readonly string[],
): Promise<RuntimeChoice> {
  demandExec(context.paths.runtimes, 'name another --prefix')
  const taken = installed.find((runtime) => runtime.name === build.version)
  const other = taken && taken.integrity !== build.integrity && (await works(context, taken))
  const tag = Buffer.from(build.integrity.replace(/^[^-]*-/, ''), 'base64')
    .toString('hex')
    .slice(0, 8)
  const name = other ? `${build.version}+${tag}` : build.version
  return { name, build, replaces: await isThere(join(context.paths.runtimes, name)), notes }
}

function pinnedFor({ pinned }: InstallContext): PinnedPackage | undefined {
  return pinned ?? pinnedPackage(process.platform, process.arch, glibcVersion())
}

/** undefined: another C library (musl). */
function glibcVersion(): string | undefined {
  if (!process.report) return undefined
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime
}
