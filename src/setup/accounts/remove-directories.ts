import { readdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import type { NodePaths, RemoveChange } from '../types.js'

/** What setup puts into the directories of the program; anything else in them is somebody else's. */
const COMMANDS = ['activate', 'magnetar', 'node', 'pulsar', 'pulsar-config', 'pulsar-main', 'pulsar-serve']

/**
 * The directories that uninstall removes: those of the program, where nothing of somebody else is in them; with `purge` also the
 * configuration and what jobs left, and the prefix itself. Parents last.
 */
export async function directoriesToRemove(
  step: string,
  paths: NodePaths,
  purge: boolean,
): Promise<RemoveChange[]> {
  const found: string[] = []
  if (await holdsOnly(paths.bin, COMMANDS)) found.push(paths.bin)
  const inLib = [paths.releases, paths.runtimes, paths.current, paths.manifest].map((path) => basename(path))
  if (await holdsOnly(paths.lib, inLib)) found.push(paths.lib)
  // Below the others nothing counts as somebody else's: it is the node's own data.
  const own = [paths.etc, paths.var]
  for (const path of own) if (purge ? await isThere(path) : await holdsOnly(path, [])) found.push(path)
  const gone = found.filter((path) => dirname(path) === paths.prefix).map((path) => basename(path))
  if (await holdsOnly(paths.prefix, gone)) found.push(paths.prefix)
  return found.map((path) => ({ kind: 'remove', step, title: `remove ${path}`, counts: 'directory', path }))
}

/** Whether the directory is there and has nothing but these; what a killed run of setup left does not count. */
async function holdsOnly(directory: string, names: readonly string[]): Promise<boolean> {
  const found = await list(directory)
  return found?.every((name) => names.includes(name) || /^\..*\.magnetar-(new|old)$/.test(name)) ?? false
}

async function isThere(directory: string): Promise<boolean> {
  return (await list(directory)) !== undefined
}

async function list(directory: string): Promise<string[] | undefined> {
  try {
    return await readdir(directory)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EACCES') return undefined
    throw error
  }
}
