import type { Change } from '../types.js'
import type { ApplyFailure, NamedChange } from './apply-error.js'
import { nameChange } from './apply-error.js'
import { reasonOf } from './apply-reason.js'
import type { Undo } from './changes/change-kind.js'
import { undoLastOf } from './changes/command.js'

/** A change that was made. */
export interface Done {
  /** In the plan; undefined: the manifest, which nobody is told about. */
  readonly index: number | undefined
  readonly change: Change
  /** undefined: nothing has to be taken back. */
  readonly undo: Undo | undefined
}

export type UndoEvent = 'undo-start' | 'undo-done' | 'undo-failed'

interface UndoOptions {
  readonly isRoot: boolean
  emit(type: UndoEvent, done: Pick<Done, 'index' | 'change'>, more?: { ms: number; text?: string }): void
}

/**
 * Takes back what was done, the last first; then runs what has to run when all is back (undoLast), also for the command that `failed`.
 * Goes on past what cannot be taken back.
 */
export async function undoAll(
  done: readonly Done[],
  failed: Pick<Done, 'index' | 'change'>,
  { isRoot, emit }: UndoOptions,
): Promise<Pick<ApplyFailure, 'undone' | 'notUndone' | 'mayBeLeft'>> {
  const touched = new Set<Change>()
  const reasons = new Map<Change, string>()

  const attempt = async (
    each: Pick<Done, 'index' | 'change'>,
    restore: () => Promise<void>,
  ): Promise<void> => {
    const startedMs = performance.now()
    touched.add(each.change)
    emit('undo-start', each)
    try {
      await restore()
      emit('undo-done', each, { ms: performance.now() - startedMs })
    } catch (error) {
      const text = reasonOf(error, isRoot)
      reasons.set(each.change, text)
      emit('undo-failed', each, { ms: performance.now() - startedMs, text })
    }
  }

  for (const each of done.toReversed()) if (each.undo) await attempt(each, each.undo.restore)
  for (const each of [...done, failed]) {
    const last = each.change.kind === 'command' ? undoLastOf(each.change) : undefined
    if (last) await attempt(each, last)
  }
  const taken = done.filter(({ change }) => touched.has(change))
  return {
    undone: taken
      .filter(({ index, change }) => index !== undefined && !reasons.has(change))
      .map(({ change }) => nameChange(change)),
    notUndone: [...taken, failed]
      .filter(({ change }) => reasons.has(change))
      .map(({ change }) => withReason(change, reasons.get(change) ?? '')),
    mayBeLeft: done.flatMap(({ change }) => (change.kind === 'command' ? change.touches : [])),
  }
}

function withReason(change: Change, reason: string): NamedChange & { reason: string } {
  return { ...nameChange(change), reason }
}
