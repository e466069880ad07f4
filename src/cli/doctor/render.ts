import { countMendable } from '../../doctor/mend.js'
import type { DoctorRun, ExaminationResult } from '../../doctor/run-doctor.js'
import type { Finding, FindingState, Group } from '../../doctor/types.js'
import { formatMs } from '../check/render.js'
import type { Stream } from '../config/terminal.js'
import { createPalette, SIGNS } from '../palette.js'
import { terminalWidth, wrap } from '../wrap.js'

/** The lines of `magnetar doctor`, one examination after another. */
export interface DoctorLines {
  add(result: ExaminationResult): void
}

const TITLE_WIDTH = 17
const INDENT = ' '.repeat(4 + TITLE_WIDTH)
const MAX_WIDTH = 100

export function createDoctorLines(stream: Stream, env: NodeJS.ProcessEnv, quiet: boolean): DoctorLines {
  const palette = createPalette(stream, env)
  const width = stream.isTTY
    ? Math.min(MAX_WIDTH, terminalWidth(stream)) - INDENT.length
    : Number.POSITIVE_INFINITY
  const signs: Readonly<Record<FindingState, string>> = {
    ok: palette.green(SIGNS.done),
    warn: palette.yellow('!'),
    fail: palette.red(SIGNS.failed),
    'left-out': palette.dim('-'),
  }
  let group: Group | undefined

  function renderFinding({ state, message, fix }: Finding, title: string): string[] {
    const [first = '', ...rest] = wrap(message, width).split('\n')
    const lines = [
      `  ${signs[state]} ${title.padEnd(TITLE_WIDTH)}${first}`,
      ...rest.map((line) => INDENT + line),
    ]
    const { text, command } = fix ?? {}
    if (text !== undefined)
      lines.push(
        ...wrap(`Fix: ${text}`, width)
          .split('\n')
          .map((line) => INDENT + line),
      )
    // To be copied: never broken, and on a line of its own.
    if (command !== undefined)
      lines.push(
        text === undefined ? `${INDENT}Fix: ${palette.bold(command)}` : `${INDENT}  ${palette.bold(command)}`,
      )
    return lines
  }

  return {
    add({ examination, findings }) {
      const shown = quiet ? findings.filter(({ state }) => state === 'warn' || state === 'fail') : findings
      if (shown.length === 0) return
      const lines: string[] = []
      if (examination.group !== group && !quiet) lines.push(examination.group)
      group = examination.group
      for (const finding of shown) lines.push(...renderFinding(finding, examination.title))
      stream.write(lines.map((line) => `${line}\n`).join(''))
    },
  }
}

/** "2 problems, 1 warning; magnetar doctor --fix mends 1 of them." */
export function summarize({ results, ms }: DoctorRun, fixCommand: string): string {
  const count = (state: FindingState): number =>
    results.flatMap(({ findings }) => findings).filter((each) => each.state === state).length
  const [problems, warnings] = [count('fail'), count('warn')]
  const time = formatMs(ms)
  if (problems + warnings === 0) return `No problems. ${results.length} examinations in ${time}.`
  const many = (number: number, word: string): string[] =>
    number === 0 ? [] : [`${number} ${word}${number === 1 ? '' : 's'}`]
  const found = [...many(problems, 'problem'), ...many(warnings, 'warning')].join(', ')
  const mendable = countMendable(results)
  if (mendable === 0) return `${found} (${time}).`
  const which = problems + warnings === 1 ? 'it' : `${mendable} of them`
  return `${found}; ${fixCommand} mends ${which}.`
}
