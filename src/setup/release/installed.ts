import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { NodePaths } from '../types.js'
import { digestFiles, listInstalledFiles, NODE_LINK, RELEASE_FILE } from './contents.js'

export interface InstalledRelease {
  /** The directory below lib/releases: the version, or `VERSION+DIGEST` when another build of that version has its name. */
  readonly name: string
  readonly version: string
  /** Of what it should hold. */
  readonly digest: string
  /** ISO time. */
  readonly installed: string
  /** The directory below lib/node that runs it; undefined: the link is missing or leads elsewhere. */
  readonly runtime: string | undefined
}

export interface InstalledReleases {
  /** Newest first. */
  readonly all: readonly InstalledRelease[]
  /** Names that lib/current and lib/previous say, whether there is such a release or not. */
  readonly current: string | undefined
  readonly previous: string | undefined
}

/** lib/previous, the release that ran before: where rollback goes. */
export function previousLink(paths: NodePaths): string {
  return join(paths.lib, 'previous')
}

/** What links in lib say: `releases/NAME`. */
export function releaseTarget(name: string): string {
  return `releases/${name}`
}

/** What a release's link to its runtime says. */
export function runtimeTarget(runtime: string): string {
  return `../../node/${runtime}/bin/node`
}

export async function readReleases(paths: NodePaths): Promise<InstalledReleases> {
  const names = await readdir(paths.releases).catch(() => [])
  // Those with a dot are being made or removed, or were when a run was killed.
  const whole = names.filter((name) => !name.startsWith('.'))
  const found = await Promise.all(whole.map((name) => readRelease(paths, name)))
  return {
    all: found.flatMap((release) => release ?? []).sort((a, b) => (a.installed < b.installed ? 1 : -1)),
    current: await readReleaseLink(paths.current),
    previous: await readReleaseLink(previousLink(paths)),
  }
}

async function readRelease(paths: NodePaths, name: string): Promise<InstalledRelease | undefined> {
  const directory = join(paths.releases, name)
  try {
    const text = await readFile(join(directory, RELEASE_FILE), 'utf8')
    const { version, digest, installed } = JSON.parse(text) as Record<string, unknown>
    if (typeof version !== 'string' || typeof digest !== 'string' || typeof installed !== 'string')
      return undefined
    const link = await readlink(join(directory, NODE_LINK)).catch(() => '')
    const runtime = /^\.\.\/\.\.\/node\/([^/]+)\/bin\/node$/.exec(link)?.[1]
    return { name, version, digest, installed, runtime }
  } catch {
    return undefined
  }
}

async function readReleaseLink(link: string): Promise<string | undefined> {
  const target = await readlink(link).catch(() => undefined)
  return target === undefined ? undefined : basename(target)
}

/** Whether all files of a release are as they were installed. */
export async function isIntact(paths: NodePaths, release: InstalledRelease): Promise<boolean> {
  try {
    return (
      (await digestFiles(await listInstalledFiles(join(paths.releases, release.name)))) === release.digest
    )
  } catch {
    return false
  }
}
