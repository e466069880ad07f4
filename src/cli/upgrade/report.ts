import { MagnetarError, messageOf } from '../../lib/errors.js'
import type { ApplyEvent } from '../../setup/apply/apply.js'
import { nameChange } from '../../setup/apply/apply-error.js'
import type { MoveResult, MoveStage } from '../../setup/release/move-release.js'
import type { ReleaseMove } from '../../setup/release/upgrade.js'
import { SIGNS } from '../palette.js'
import { printError } from '../print.js'
import type { Output } from '../setup/output.js'
import { showRemarks } from '../setup/show-plan.js'

/** What would be done, and what after it: "restart pulsar, send a job through the node; …". */
export function showMove(
  move: ReleaseMove,
  notes: readonly string[],
  after: readonly string[],
  output: Output,
): void {
  const { from, to, plan, prune } = move
  const all = { ...plan, notes: [...plan.notes, ...notes] }
  output.event('plan', {
    from,
    to,
    changes: [...plan.changes, ...prune.changes].map(nameChange),
    conflicts: plan.conflicts,
    notes: all.notes,
  })
  if (plan.changes.length === 0) output.say(`Release ${to} is switched to already, but not proved:`)
  else output.say(from === to ? `Release ${to} stays; what runs it changes:` : `Release ${from} → ${to}`)
  for (const { title } of plan.changes) output.say(`  ${title}`, '    ')
  for (const sentence of after) output.say(`  then ${sentence}`, '    ')
  for (const { title } of prune.changes) output.say(`  then ${title}`, '    ')
  showRemarks(all, output)
}

/** When it went well, and when not. */
const STAGES: Readonly<Record<MoveStage, readonly [string, string]>> = {
  apply: ['installed and switched', 'not switched'],
  restart: ['restarted, and it answers', 'it did not restart well'],
  verify: ['a job ran through it', 'the job did not run through it'],
  prune: ['old releases removed', 'old releases not removed'],
  'go back': ['the release before is back', 'the release before is not back'],
}

/** Tells how far a move is: a line for each stage when it has ended, with the time it took. */
export interface Stages {
  begin(stage: MoveStage): void
  change(event: ApplyEvent): void
  status(status: string): void
  /** The last stage has ended. */
  end(succeeded: boolean): void
}

export function createStages(output: Output): Stages {
  const { green, red, dim } = output.palette
  const states: string[] = []
  let current: { readonly stage: MoveStage; readonly startedMs: number } | undefined
  const end = (succeeded: boolean): void => {
    if (!current) return
    const { stage, startedMs } = current
    current = undefined
    const time = dim(`${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
    const seen = stage === 'verify' && states.length > 0 ? `: ${states.join(' → ')}` : ''
    const text = STAGES[stage][succeeded ? 0 : 1]
    output.say(`${succeeded ? green(SIGNS.done) : red(SIGNS.failed)} ${text}${seen}  ${time}`)
  }
  return {
    end,
    begin(stage) {
      end(stage !== 'go back')
      output.event('stage', { stage })
      current = { stage, startedMs: performance.now() }
    },
    change({ type, change, index, total, ms, text }) {
      output.event('change', { state: type, ...nameChange(change), index, total, ms, text })
    },
    status(status) {
      states.push(status)
      output.event('status', { status })
    },
  }
}

export function showNothingToDo(release: string, hint: string, output: Output): void {
  output.say(`${output.palette.green(SIGNS.done)} Nothing to do: release ${release} runs already. ${hint}`)
  output.event('result', { result: 'nothing to do', from: release, to: release })
}

export function showResult(
  { from, to }: ReleaseMove,
  result: MoveResult,
  prefix: string,
  output: Output,
): void {
  if (result.kind === 'moved') {
    const { verified, warnings } = result
    if (verified?.ran === false) output.say(verified.why)
    for (const warning of warnings) output.warn(warning)
    const back = from === to ? '' : ` Back to ${from}: magnetar rollback --prefix ${prefix}`
    output.say(`Release ${to} is the one that runs.${back}`)
    output.event('result', { result: 'moved', from, to, job: verified, warnings })
    return
  }
  const { why, interrupted } = result
  if (interrupted) {
    output.warn(
      `Interrupted: release ${from} is the one that runs, as before. The same command goes on from what is there.`,
    )
    output.event('result', { result: 'interrupted', from, to })
    return
  }
  printError(why)
  output.warn(
    `Release ${from} is the one that runs again; ${to} is left beside it, to see what is wrong with it.`,
  )
  output.event('result', { result: 'taken back', from, to, ...describe(why) })
}

export function showFailure(error: unknown, output: Output): void {
  printError(error)
  output.event('result', { result: 'failed', ...describe(error) })
}

function describe(error: unknown): Readonly<Record<string, unknown>> {
  return { code: error instanceof MagnetarError ? error.code : 'INTERNAL', message: messageOf(error) }
}
