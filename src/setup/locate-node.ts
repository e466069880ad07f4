import { join, resolve } from 'node:path'
import { readManifest } from './manifest.js'
import { nodePaths } from './paths.js'
import type { Facts, Manifest, NodePaths } from './types.js'

export interface WantedNode {
  /** As given on the command line. */
  readonly prefix: string | undefined
  readonly instance: string | undefined
}

/**
 * Which node a command is about, and what setup left about it. The prefix: as given, $MAGNETAR_SETUP_PREFIX, that of the instance, the one
 * that the running program is installed in ($MAGNETAR_PREFIX, set by its launchers), the default of setup.
 * @throws MagnetarError SETUP_CONFLICT when its manifest is damaged
 */
export async function locateNode(
  wanted: WantedNode,
  env: NodeJS.ProcessEnv,
  account: Facts['account'],
): Promise<{ readonly paths: NodePaths; readonly manifest: Manifest | undefined }> {
  const instance = wanted.instance ?? (env.MAGNETAR_SETUP_INSTANCE || undefined)
  const own = instance === undefined ? env.MAGNETAR_PREFIX : undefined
  const name = instance === undefined ? 'pulsar' : `pulsar-${instance}`
  const prefix = resolve(
    wanted.prefix || env.MAGNETAR_SETUP_PREFIX || own || join(account.isRoot ? '/srv' : account.home, name),
  )
  const manifest = await readManifest(nodePaths(prefix, instance))
  const remembered = manifest?.answers.instance
  return {
    paths: nodePaths(prefix, instance ?? (typeof remembered === 'string' ? remembered : undefined)),
    manifest,
  }
}
