import { abortAfter } from '../../lib/time-limit.js'
import { nodePaths } from '../paths.js'
import type { Change, FileChange, Plan } from '../types.js'
import type { ApplyEvent, ApplyOptions } from './apply.js'
import { reasonOf } from './apply-reason.js'
import type { ChangeTools } from './changes/change-kind.js'
import { applyChange } from './changes/index.js'
import { createTools } from './changes/tools.js'
import { planLeftovers } from './leftovers.js'
import { createManifestKeeper, type ManifestKeeper } from './manifest-keeper.js'
import type { Done } from './undo.js'

/** A plan that is being applied. */
export interface Run {
  readonly plan: Plan
  readonly options: ApplyOptions
  readonly keeper: ManifestKeeper
  readonly tools: Omit<ChangeTools, 'progress'>
  /** In the order in which they were made, with the manifest's own. */
  readonly done: Done[]
  /** What could not be tidied up. */
  readonly warnings: string[]
  /** Tells about a change of the plan; nothing about the manifest's. */
  emit(
    type: ApplyEvent['type'],
    of: Pick<Done, 'index' | 'change'>,
    more?: { ms?: number; text?: string },
  ): void
}

/** The manifest is written also when the signal has aborted; only a directory service that is down takes long here. */
const MANIFEST_TIMEOUT_MS = 20_000

/**
 * Looks at the manifest, and removes what a killed run left behind.
 * @throws MagnetarError as readManifest
 */
export async function beginRun(plan: Plan, options: ApplyOptions): Promise<Run> {
  const { prefix, signal, manifestFile, onEvent } = options
  const total = plan.changes.length
  const run: Run = {
    plan,
    options,
    keeper: await createManifestKeeper(plan, manifestFile),
    tools: createTools(prefix, signal, options.tools),
    done: [],
    warnings: [],
    emit(type, { index, change }, more) {
      if (index !== undefined) onEvent?.({ type, change, index, total, ...more })
    },
  }
  await removeLeftovers(run)
  return run
}

/** Those that the plan does not have: it may be older than the run that was killed, or not made by makePlan. */
async function removeLeftovers({ plan, options, tools, warnings }: Run): Promise<void> {
  const paths = plan.changes.flatMap((change) => (change.kind === 'command' ? [] : [change.path]))
  const planned = new Set(paths)
  for (const leftover of await planLeftovers(nodePaths(options.prefix, undefined), paths)) {
    if (planned.has(leftover.path)) continue
    try {
      await applyChange(leftover, { ...tools, progress: () => {} })
    } catch (error) {
      warnings.push(`could not ${leftover.title}: ${reasonOf(error, tools.uid === 0)}`)
    }
  }
}

/** Makes one change, and tells about it. Errors: what the change throws. */
export async function make(
  run: Run,
  of: Pick<Done, 'index' | 'change'>,
  tools: Omit<ChangeTools, 'progress'>,
): Promise<void> {
  const startedMs = performance.now()
  run.emit('start', of)
  try {
    const progress = (text: string): void => run.emit('progress', of, { text })
    const undo = await applyChange(of.change, { ...tools, progress })
    run.done.push({ ...of, undo })
    run.emit('done', of, { ms: performance.now() - startedMs })
  } catch (error) {
    const text = tools.signal.aborted ? 'interrupted' : reasonOf(error, tools.uid === 0)
    run.emit('failed', of, { ms: performance.now() - startedMs, text })
    throw error
  }
}

/** Writes the manifest; the signal does not keep it from that. Errors as make. */
export async function writeManifest(run: Run, change: FileChange): Promise<void> {
  const { prefix, tools } = run.options
  const calm = createTools(prefix, abortAfter(MANIFEST_TIMEOUT_MS), tools)
  await make(run, { index: undefined, change }, { ...calm, asides: run.tools.asides })
  run.keeper.wrote(change)
}

/** The changes of the plan that are made. */
export function changesOf({ done }: Pick<Run, 'done'>): Change[] {
  return done.filter(({ index }) => index !== undefined).map(({ change }) => change)
}
