import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import type { NodePaths, RemoveChange } from '../types.js'
import { isLeftoverName, leftoverNames } from './changes/names.js'

/**
 * Removes what a run that was killed left behind: things half made, and things kept aside to be put back. Looked for below the prefix,
 * where every such name is ours, and beside the prefix and `others` (absolute paths: the service's file, what is about to be changed),
 * where only the names that belong to them are.
 */
export async function planLeftovers(paths: NodePaths, others: Iterable<string>): Promise<RemoveChange[]> {
  const { prefix, bin, lib, etc, releases, runtimes } = paths
  const directories = [prefix, bin, lib, etc, paths.var, releases, runtimes]
  const found = new Set((await Promise.all(directories.map(leftoversIn))).flat())
  for (const file of new Set([prefix, ...others])) {
    for (const name of leftoverNames(path.basename(file))) {
      const leftover = path.join(path.dirname(file), name)
      if (await exists(leftover)) found.add(leftover)
    }
  }
  return [...found].sort().map((leftover) => ({
    kind: 'remove',
    step: 'leftovers',
    title: `remove ${leftover}, left behind by a run that was killed`,
    counts: 'other',
    path: leftover,
  }))
}

async function leftoversIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter(isLeftoverName).map((name) => path.join(directory, name))
  } catch {
    // Not there, or not to be read by this user, who could not have left anything in it either.
    return []
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return false
    throw error
  }
}
