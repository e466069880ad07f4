import { listPlan, renderDiff, summarizePlan } from '../../setup/diff.js'
import type { Plan } from '../../setup/types.js'
import type { Output } from './output.js'

/** Notes and conflicts of a plan. */
export function showRemarks({ notes, conflicts }: Plan, output: Output): void {
  const { palette } = output
  for (const note of notes) output.say(`${palette.dim('·')} ${note}`)
  for (const { message } of conflicts) {
    const text = `${palette.yellow('!')} ${message}`
    // Not as asked for, so also with --quiet.
    if (output.isQuiet) output.warn(text)
    else output.say(text)
  }
}

/** One line for each change. */
export function showList(plan: Plan, output: Output): void {
  output.say(`Plan: ${summarizePlan(plan)}`)
  for (const line of listPlan(plan)) output.say(`  ${line}`, '    ')
}

/** What changes in each file, coloured. */
export function showDiff(plan: Plan, output: Output): void {
  const { palette } = output
  const colours: Readonly<Record<string, (text: string) => string>> = {
    '+': palette.green,
    '-': palette.red,
    '@': palette.cyan,
    '*': palette.bold,
    '!': palette.yellow,
    '#': palette.dim,
  }
  for (const line of renderDiff(plan).trimEnd().split('\n'))
    output.print(colours[line.charAt(0)]?.(line) ?? line)
}

/** For programs: no texts of files, which may hold the token. */
export function planEvent(plan: Plan): Record<string, unknown> {
  return {
    summary: summarizePlan(plan),
    changes: plan.changes.map(({ step, kind, title, ...change }) => ({
      step,
      kind,
      title,
      ...('path' in change ? { path: change.path } : {}),
    })),
    conflicts: plan.conflicts,
    notes: plan.notes,
  }
}
