import type { PinnedPackage } from '../runtime/pinned.js'
import type { Facts, NodePaths, Owner, SetupContext } from '../types.js'

/** What runtime and release are planned from: the answers of a setup, or the manifest of a node that is upgraded. */
export interface InstallContext {
  readonly paths: NodePaths
  /** Of everything in bin and lib; undefined without root: whoever runs this. */
  readonly owner: Owner | undefined
  readonly runtime: RuntimeWish
  /** The package that is installed: its root directory and version. */
  readonly source: SetupContext['source']
  /** The Node that runs this, the last resort. */
  readonly node: Facts['node']
  readonly signal: AbortSignal
  /** The package to fetch instead of this release's own choice. */
  readonly pinned?: PinnedPackage
}

export interface RuntimeWish {
  /** `download`: the pinned version from the npm registry; else a program to copy. */
  readonly node: string
  /** Instead of either: a tarball that holds bin/node. */
  readonly tarball: string | undefined
  /** A runtime that the node has and that is new enough stays, whatever the rest says. */
  readonly keep: boolean
}
