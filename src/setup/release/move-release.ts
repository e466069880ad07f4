import { MagnetarError, messageOf } from '../../lib/errors.js'
import { abortAfter } from '../../lib/time-limit.js'
import type { Plan } from '../types.js'
import type { VerifyResult } from '../verify/verify.js'
import type { ReleaseMove } from './upgrade.js'

/** What a move is done with. All of them throw the signal's reason when aborted. */
export interface MoveActions {
  /** Applies a plan completely; when it fails, it has undone what it did. */
  apply(plan: Plan, signal: AbortSignal): Promise<void>
  /** Until the service answers; undefined: it is stopped, or there is none. */
  readonly restart: ((signal: AbortSignal) => Promise<void>) | undefined
  /** Sends a real job; undefined: not wanted. */
  readonly verify: ((signal: AbortSignal) => Promise<VerifyResult>) | undefined
}

export type MoveStage = 'apply' | 'restart' | 'verify' | 'prune' | 'go back'

export type MoveResult =
  | {
      readonly kind: 'moved'
      readonly verified: VerifyResult | undefined
      readonly warnings: readonly string[]
    }
  /** The new release did not do, or the signal came; the old one runs again. */
  | { readonly kind: 'taken back'; readonly why: unknown; readonly interrupted: boolean }

const BACK_TIMEOUT_MS = 120_000

/**
 * Installs, switches, restarts, and sends a job; if anything of that fails after the switch, switches and restarts back.
 * @throws what went wrong, when nothing was switched or there is no way back; SETUP_FAILED when the way back failed too
 */
export async function moveRelease(
  move: ReleaseMove,
  actions: MoveActions,
  signal: AbortSignal,
  onStage: (stage: MoveStage) => void = () => {},
): Promise<MoveResult> {
  let switched = false
  try {
    onStage('apply')
    await actions.apply(move.plan, signal)
    switched = true
    if (actions.restart) {
      onStage('restart')
      await actions.restart(signal)
    }
    let verified: VerifyResult | undefined
    if (actions.verify) {
      onStage('verify')
      verified = await actions.verify(signal)
    }
    // From here on a Ctrl-C is too late to take anything back.
    return { kind: 'moved', verified, warnings: await prune(move, actions, onStage) }
  } catch (why) {
    // Not switched, and not half done either: applying has undone what it did. Or there is nothing to go back to.
    if ((!switched && !signal.aborted) || move.back.changes.length === 0) throw why
    onStage('go back')
    await goBack(move, actions, switched, why)
    return { kind: 'taken back', why, interrupted: signal.aborted }
  }
}

async function prune(
  move: ReleaseMove,
  actions: MoveActions,
  onStage: (stage: MoveStage) => void,
): Promise<string[]> {
  if (move.prune.changes.length === 0) return []
  onStage('prune')
  try {
    await actions.apply(move.prune, abortAfter(BACK_TIMEOUT_MS))
    return []
  } catch (error) {
    return [`old releases could not be removed: ${messageOf(error)}`]
  }
}

/** With a time of its own: also after Ctrl-C the node must end on one release. */
async function goBack(
  { from, to, back }: ReleaseMove,
  actions: MoveActions,
  restarted: boolean,
  why: unknown,
): Promise<void> {
  const signal = abortAfter(BACK_TIMEOUT_MS)
  try {
    await actions.apply(back, signal)
    if (restarted) await actions.restart?.(signal)
  } catch (error) {
    throw new MagnetarError(
      'SETUP_FAILED',
      `release ${to} did not do (${messageOf(why)}), and going back to ${from} failed as well: ${messageOf(error)}`,
      { fix: `Correct that, then: magnetar rollback --to ${from}`, cause: error },
    )
  }
}
