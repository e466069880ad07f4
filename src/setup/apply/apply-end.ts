import type { Change } from '../types.js'
import type { ApplyResult } from './apply.js'
import { type ApplyError, applyError, type NamedChange, nameChange } from './apply-error.js'
import { reasonOf } from './apply-reason.js'
import { changesOf, type Run, writeManifest } from './apply-run.js'
import { type Done, undoAll } from './undo.js'

/** After Ctrl-C nobody waits for the end of a large tree: the next run removes what is left. */
const HASTE_MS = 2000
const STEP_MS = 200

/** The end after Ctrl-C: what is done stays. */
export async function breakOff(run: Run, cutOff: Change | undefined): Promise<ApplyResult> {
  const manifestWritten = await leave(run)
  return {
    interrupted: true,
    done: changesOf(run).map(nameChange),
    cutOff: cutOff && nameChange(cutOff),
    left: leftOf(run, cutOff),
    manifestWritten,
    warnings: run.warnings,
  }
}

/** The error that ends a run, once what was done is undone or, when it is to be kept, tidied up. */
export async function giveUp(
  run: Run,
  failed: Pick<Done, 'index' | 'change'>,
  error: unknown,
): Promise<ApplyError> {
  const { keep } = run.options
  const isRoot = run.tools.uid === 0
  const { warnings } = run
  const left = leftOf(run, failed.change)
  if (!keep) {
    const undone = await undoAll(run.done, failed, { isRoot, emit: run.emit })
    return applyError(failed.change, error, { ...undone, kept: [], left, warnings }, { isRoot, keep })
  }
  await leave(run)
  const kept = changesOf(run).map(nameChange)
  const details = { kept, undone: [], notUndone: [], mayBeLeft: [], left, warnings }
  return applyError(failed.change, error, details, { isRoot, keep })
}

/** Removes what was kept aside for undoing, as long as it may go on. */
export async function tidyUp({ done, tools, emit, warnings }: Run, mayGoOn: () => boolean): Promise<void> {
  for (const { index, change, undo } of done) {
    try {
      let isGone = (await undo?.discard?.(STEP_MS)) ?? true
      if (!isGone) emit('progress', { index, change }, { text: 'removing what was there' })
      while (!isGone && mayGoOn()) isGone = (await undo?.discard?.(STEP_MS)) ?? true
      if (!isGone)
        warnings.push(`not all of what was there is removed yet (${change.title}); the next run does it`)
    } catch (error) {
      const reason = reasonOf(error, tools.uid === 0)
      warnings.push(`cannot remove all of what was there (${change.title}): ${reason}`)
    }
  }
}

/** Remembers what was written so far; whether there was anything to remember. */
async function leave(run: Run): Promise<boolean> {
  const done = changesOf(run)
  const change = done.length === 0 ? undefined : run.keeper.breakOff(done)
  let isWritten = false
  try {
    if (change) {
      await writeManifest(run, change)
      isWritten = true
    }
  } catch (error) {
    run.warnings.push(`could not ${change?.title}: ${reasonOf(error, run.tools.uid === 0)}`)
  }
  const untilMs = performance.now() + HASTE_MS
  await tidyUp(run, () => performance.now() < untilMs)
  return isWritten
}

function leftOf(run: Run, current: Change | undefined): NamedChange[] {
  const begun = new Set([...changesOf(run), current])
  return run.plan.changes.filter((change) => !begun.has(change)).map(nameChange)
}
