import { dirname } from 'node:path'
import { readManifest } from './manifest.js'
import { nodePaths } from './paths.js'
import type { Manifest, NodePaths } from './types.js'

export interface Installation {
  readonly manifest: Manifest
  readonly paths: NodePaths
}

/**
 * The installation whose configuration directory this is; undefined: setup made none here.
 * @throws MagnetarError when what setup noted is damaged, or this user may not read it
 */
export async function findInstallation(configDirectory: string): Promise<Installation | undefined> {
  const prefix = dirname(configDirectory)
  const paths = nodePaths(prefix, undefined)
  if (paths.etc !== configDirectory) return undefined
  const manifest = await readManifest(paths)
  if (manifest === undefined) return undefined
  const { instance } = manifest.answers
  return { manifest, paths: nodePaths(prefix, typeof instance === 'string' ? instance : undefined) }
}
