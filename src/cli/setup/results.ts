import type { AnswerLayers } from '../../setup/answers/given.js'
import type { ApplyResult } from '../../setup/apply/apply.js'
import type { PreparedSetup, SetupOutcome } from '../../setup/run.js'
import { SIGNS } from '../palette.js'
import type { Output } from './output.js'
import { seconds } from './progress.js'
import { programName, sameCommand } from './repeat.js'

/** The job that went through: "submitted → queued → running → complete in 0.6 s, on node vm". */
export function showJob({ job, whyNoJob }: SetupOutcome, output: Output): void {
  const { palette } = output
  if (job)
    output.say(
      `${palette.green(SIGNS.done)} A job ran through it: ${job.states.join(' → ')} in ${seconds(job.ms)}, on node ${job.node}`,
    )
  else if (whyNoJob !== undefined) output.say(`${palette.dim('·')} ${whyNoJob}`)
}

/** What was done, what was not, how to go on and how to take it back. */
export function showInterrupted(
  applied: ApplyResult,
  { context }: PreparedSetup,
  given: AnswerLayers,
  words: readonly string[],
  output: Output,
): void {
  const { done, cutOff, left } = applied
  const total = done.length + left.length + (cutOff ? 1 : 0)
  const lines = [`Interrupted. Done: ${done.length} of ${total} changes; nothing was undone.`]
  for (const { title } of done) lines.push(`  ${SIGNS.done} ${title}`)
  if (cutOff) {
    const state =
      cutOff.kind === 'command' ? 'cut off: it may have done a part of its work' : 'cut off: not done'
    lines.push(`  ${SIGNS.failed} ${cutOff.title} (${state})`)
  }
  if (left.length > 0) lines.push(`    ${left.length} not begun`)
  output.warn(lines.join('\n'))
  showWaysOut(context.answers.prefix, given, words, output)
}

/** The two commands that lead out of a setup which is not complete. */
export function showWaysOut(
  prefix: string,
  given: AnswerLayers,
  words: readonly string[],
  output: Output,
): void {
  output.warn(`\n  Go on with   ${sameCommand(given, words)}`)
  output.warn(`  Undo with    ${programName()} uninstall --prefix ${prefix}`)
}
