import type { Change, FileChange, Plan } from '../types.js'
import { breakOff, giveUp, tidyUp } from './apply-end.js'
import type { NamedChange } from './apply-error.js'
import { nameChange } from './apply-error.js'
import { beginRun, changesOf, make, type Run, writeManifest } from './apply-run.js'
import type { ReplacedTools } from './changes/tools.js'

export interface ApplyOptions {
  readonly prefix: string
  /** undefined: none is written (uninstall, which removes it). */
  readonly manifestFile: string | undefined
  /** When a change fails, leave what was done before it. */
  readonly keep: boolean
  /** Must not throw. */
  readonly onEvent?: (event: ApplyEvent) => void
  /** Ctrl-C: the change under way is ended, nothing is undone. */
  readonly signal: AbortSignal
  /** For tests, which end the process in the middle. */
  readonly tools?: ReplacedTools
}

/**
 * What happens while a plan is applied. `progress` may also come after `done`, when a large tree that was replaced is being removed.
 * A change may hold a secret (FileChange): what is shown of it is nameChange's.
 */
export interface ApplyEvent {
  readonly type: 'start' | 'progress' | 'done' | 'failed' | 'undo-start' | 'undo-done' | 'undo-failed'
  readonly change: Change
  /** In the plan, from 0. */
  readonly index: number
  readonly total: number
  /** How long it took; with done, failed, undo-done and undo-failed. */
  readonly ms?: number
  /** How far it is (progress), or why it failed (failed, undo-failed). */
  readonly text?: string
}

/** What became of a plan that did not fail. All lists are in the order of the plan. */
export interface ApplyResult {
  /** The signal ended it before its end. */
  readonly interrupted: boolean
  readonly done: readonly NamedChange[]
  /** Was under way when it was interrupted: a command may have done a part of its work, anything else is as if never begun. */
  readonly cutOff: NamedChange | undefined
  /** Not begun. */
  readonly left: readonly NamedChange[]
  readonly manifestWritten: boolean
  /** What could not be tidied up, each a sentence; the next run does it. */
  readonly warnings: readonly string[]
}

/**
 * Makes the changes of a plan one after another, and writes the manifest last. Resolves when all is done, or when the signal aborts;
 * then nothing is undone, and the same command goes on from there. When a change fails, those before it are undone, unless `keep`.
 * @throws ApplyError; before anything is changed, MagnetarError SETUP_CONFLICT when the manifest on the disk is damaged
 */
export async function applyPlan(plan: Plan, options: ApplyOptions): Promise<ApplyResult> {
  const { signal } = options
  const run = await beginRun(plan, options)
  for (const [index, change] of plan.changes.entries()) {
    if (signal.aborted) return breakOff(run, undefined)
    try {
      await make(run, { index, change }, run.tools)
    } catch (error) {
      if (signal.aborted) return breakOff(run, change)
      throw await giveUp(run, { index, change }, error)
    }
    await remember(run, run.keeper.rememberUser(changesOf(run)))
  }
  const manifestWritten = await remember(run, run.keeper.finish())
  await tidyUp(run, () => !signal.aborted)
  const { warnings } = run
  return {
    interrupted: false,
    done: plan.changes.map(nameChange),
    cutOff: undefined,
    left: [],
    manifestWritten,
    warnings,
  }
}

/** Whether there was anything to remember. */
async function remember(run: Run, change: FileChange | undefined): Promise<boolean> {
  if (!change) return false
  try {
    await writeManifest(run, change)
    return true
  } catch (error) {
    throw await giveUp(run, { index: undefined, change }, error)
  }
}
