import { join } from 'node:path'
import { isAtLeast } from '../runtime/pinned.js'
import type { NodePaths, SetupContext } from '../types.js'
import { readReleases } from './installed.js'

type Source = SetupContext['source']

/**
 * The release that runs, where it is newer than the package that sets up: a setup from an older checkout is for some other change, and
 * takes everything from this one then. undefined: there is none.
 */
export async function newerRelease(paths: NodePaths, { version }: Source): Promise<Source | undefined> {
  const { all, current } = await readReleases(paths)
  const found = all.find(({ name }) => name === current)
  if (found === undefined || isAtLeast(version, found.version)) return undefined
  return { root: join(paths.releases, found.name), version: found.version }
}
