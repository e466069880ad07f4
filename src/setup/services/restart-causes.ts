import { dirname } from 'node:path'
import type { Change, NodePaths } from '../types.js'

/** Whether a change is one that a running server notices only when it is started anew: what it reads at its start, and what it is. */
export function needsRestart(paths: NodePaths, change: Change): boolean {
  if (change.kind === 'command' || change.kind === 'directory') return false
  const read = [paths.appYml, paths.serverIni, paths.localEnv, paths.tlsPem, paths.resolvers, paths.current]
  if (read.includes(change.path)) return true
  if (change.kind === 'remove') return false
  // A release that was replaced by another build of the same version, or the runtime that a release runs on.
  return dirname(change.path) === paths.releases || dirname(dirname(change.path)) === paths.releases
}
