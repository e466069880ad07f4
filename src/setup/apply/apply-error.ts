import path from 'node:path'
import type { ErrorCode } from '../../lib/error-table.js'
import { MagnetarError } from '../../lib/errors.js'
import type { Change } from '../types.js'
import { isDenied, isFull, reasonOf } from './apply-reason.js'

const MOST_LISTED = 6

/** A change without what it writes, which may be secret: for --json, logs and errors. */
export interface NamedChange {
  readonly step: string
  readonly kind: Change['kind']
  readonly title: string
  readonly path?: string
}

/** What became of a plan that failed. All lists are in the order of the plan. */
export interface ApplyFailure {
  readonly failed: NamedChange
  readonly reason: string
  /** Made by this run and there now; with --keep, all that were made. */
  readonly kept: readonly NamedChange[]
  readonly undone: readonly NamedChange[]
  /** Should have been undone, and could not be: these are there as well. */
  readonly notUndone: readonly (NamedChange & { readonly reason: string })[]
  /** Never begun. */
  readonly left: readonly NamedChange[]
  /** What commands that were undone may have left: backup files of the account database and the like. */
  readonly mayBeLeft: readonly string[]
  /** What could not be tidied up, each a sentence; the next run does it. */
  readonly warnings: readonly string[]
}

/** A plan failed; the message says what is left, `details` says it for programs. */
export class ApplyError extends MagnetarError {
  readonly details: ApplyFailure
  constructor(
    code: ErrorCode,
    message: string,
    details: ApplyFailure,
    options: { fix?: string; cause: unknown },
  ) {
    super(code, message, options)
    this.name = 'ApplyError'
    this.details = details
  }
}

/** The change as it may be shown and logged. */
export function nameChange(change: Change): NamedChange {
  const { step, kind, title } = change
  return kind === 'command' ? { step, kind, title } : { step, kind, title, path: change.path }
}

/** The error for a plan of which `change` failed with `error`; `details` without the reason, which is found here. */
export function applyError(
  change: Change,
  error: unknown,
  details: Omit<ApplyFailure, 'failed' | 'reason'>,
  { isRoot, keep }: { readonly isRoot: boolean; readonly keep: boolean },
): ApplyError {
  const failure = { failed: nameChange(change), reason: reasonOf(error, isRoot), ...details }
  const reason = withoutEnd(failure.reason)
  // The lines of a log stand by themselves.
  const message = `could not ${change.title}: ${reason}${reason.includes('\n') ? '\n' : '. '}${whatIsLeft(failure, keep)}`
  const fix = fixFor(change, error, isRoot)
  return new ApplyError(codeOf(error, isRoot), message, failure, {
    cause: error,
    ...(fix === undefined ? {} : { fix }),
  })
}

function withoutEnd(sentence: string): string {
  return sentence.replace(/[\s.]+$/, '')
}

function whatIsLeft({ kept, undone, notUndone, mayBeLeft }: ApplyFailure, keep: boolean): string {
  if (keep && kept.length > 0) return `Done before it, and kept as --keep says: ${listed(kept)}.`
  if (undone.length + notUndone.length === 0) return 'Nothing else was changed.'
  const parts: string[] = []
  if (undone.length > 0) parts.push(`Undone: ${listed(undone)}.`)
  for (const { title, reason } of notUndone)
    parts.push(`Could not be undone: ${title}: ${withoutEnd(reason)}.`)
  const besides = mayBeLeft.length > 0 ? `, except perhaps ${mayBeLeft.join(', ')}` : ''
  if (notUndone.length === 0) parts.push(`Everything is as it was before${besides}.`)
  return parts.join(' ')
}

/** Whoever watched it has seen each of many; `details` has them all. */
function listed(changes: readonly NamedChange[]): string {
  const titles = changes.map(({ title }) => title)
  if (titles.length <= MOST_LISTED) return titles.join('; ')
  return `${titles.length} changes, from "${titles[0]}" to "${titles.at(-1)}"`
}

/** A change that knows its own code (no runtime, a conflict, a service) keeps it. */
function codeOf(error: unknown, isRoot: boolean): ErrorCode {
  if (isFull(error)) return 'SETUP_FAILED'
  if (error instanceof MagnetarError) return error.code
  return isDenied(error) && !isRoot ? 'NOT_PERMITTED' : 'SETUP_FAILED'
}

/** undefined: what the table of errors says. */
function fixFor(change: Change, error: unknown, isRoot: boolean): string | undefined {
  if (isFull(error)) {
    const where = change.kind === 'command' ? '' : ` ${path.dirname(change.path)}`
    return `Make room ("df -h${where}" and "df -i${where}" show how much there is), then run the same command again.`
  }
  if (error instanceof MagnetarError) return error.fix
  if (isDenied(error) && !isRoot)
    return 'Run it as root, or name a prefix that this user may write to: --prefix DIR'
  return 'Correct that, then run the same command again: it goes on from what is there.'
}
