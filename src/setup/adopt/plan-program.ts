import { join } from 'node:path'
import type { InstallContext } from '../release/install.js'
import { inspectRelease, planRelease } from '../release/plan-release.js'
import { isThere } from '../release/present.js'
import { chooseRuntime } from '../runtime/choose.js'
import { readRuntimes } from '../runtime/installed.js'
import { inspectLaunchers, planLaunchers } from '../steps/launchers.js'
import { planRuntime } from '../steps/runtime.js'
import type { Change, DirectoryChange, LinkChange, Plan } from '../types.js'

/** The program of a node, without any configuration or data of it. */
export interface ProgramPlan {
  /** Directories, runtime, release, launchers: up to the switch of lib/current. Nothing that runs notices. */
  readonly install: Plan
  /** lib/current; part of `install` where nothing runs from it yet. */
  readonly select: readonly LinkChange[]
  /** Of the release: "0.2.0". */
  readonly release: string
}

/**
 * Plans it; with what is there already nothing is to be done.
 * @throws RUNTIME_UNAVAILABLE, RELEASE_UNKNOWN; the signal's reason
 */
export async function planProgram(context: InstallContext): Promise<ProgramPlan> {
  const { paths, owner, source } = context
  const choice = await chooseRuntime(context)
  const runtimes = (await readRuntimes(paths)).map(({ name }) => name)
  const state = await inspectRelease(context, runtimes)
  const runtime = planRuntime(context, choice)
  const release = planRelease(context, state, choice.name)
  const launchers = planLaunchers(
    { paths, owner, manifest: undefined, force: true },
    await inspectLaunchers(paths, join(source.root, 'templates', 'bin')),
  )
  const directories: DirectoryChange[] = []
  for (const path of [paths.prefix, paths.bin, paths.lib, paths.releases, paths.runtimes])
    if (!(await isThere(path)))
      directories.push({
        kind: 'directory',
        step: 'adopt',
        title: `create ${path}`,
        counts: 'directory',
        path,
        mode: 0o755,
        owner,
      })
  const changes: Change[] = [
    ...directories,
    ...runtime.changes,
    ...release.install,
    ...(launchers.changes ?? []),
    ...release.select,
  ]
  return {
    install: {
      changes,
      conflicts: [],
      notes: [...runtime.notes, ...state.notes],
      manifest: { version: 1, answers: {}, files: {}, madeUser: false },
    },
    select: release.select.flatMap((change) => (change.kind === 'link' ? [change] : [])),
    release: state.name,
  }
}
