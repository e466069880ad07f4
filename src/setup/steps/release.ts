import { basename, dirname } from 'node:path'
import { defineStep } from '../define-step.js'
import { previousLink } from '../release/installed.js'
import { inspectRelease, planRelease, type ReleaseState } from '../release/plan-release.js'
import { isThere } from '../release/present.js'
import { findChosenRuntime } from '../runtime/choose.js'
import { readRuntimes } from '../runtime/installed.js'
import { runtimeUnavailable } from '../runtime/unavailable.js'
import type { Change, NodePaths } from '../types.js'
import { installContext } from './runtime.js'

const STEP = 'release'
const removal = { kind: 'remove', step: STEP, counts: 'release' } as const

interface State {
  readonly release: ReleaseState
  /** The runtime that is there; undefined: the plan makes one. */
  readonly runtime: string | undefined
}

/** Magnetar itself, complete in lib/releases/VERSION, and lib/current, which says which release runs. */
export const releaseStep = defineStep<State>({
  id: STEP,
  title: 'release of Magnetar',
  async inspect(context) {
    const install = installContext(context)
    const runtimes = await readRuntimes(context.paths)
    return {
      release: await inspectRelease(
        install,
        runtimes.map(({ name }) => name),
      ),
      runtime: await findChosenRuntime(install),
    }
  },
  plan(context, { release, runtime }, earlier) {
    const chosen = plannedRuntime(context.paths, earlier) ?? runtime
    if (chosen === undefined)
      throw runtimeUnavailable('the release has no Node.js to run it: none is there, none is planned')
    const { install, select, prune } = planRelease(installContext(context), release, chosen)
    return {
      changes: [...install, ...select, ...prune],
      notes: release.notes,
    }
  },
  async remove({ paths }) {
    const removals = [paths.current, previousLink(paths), paths.releases].map(async (path) =>
      (await isThere(path)) ? [{ ...removal, title: `remove ${path}`, path } as const] : [],
    )
    return (await Promise.all(removals)).flat()
  },
})

/** The runtime that a step before this one makes. */
export function plannedRuntime(paths: NodePaths, changes: readonly Change[]): string | undefined {
  const tree = changes.find((change) => change.kind === 'tree' && dirname(change.path) === paths.runtimes)
  return tree?.kind === 'tree' ? basename(tree.path) : undefined
}
