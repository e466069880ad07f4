import type { CheckName, CheckResult, CheckState } from '../../check/types.js'
import type { Stream } from '../config/terminal.js'
import { createPalette, SIGNS } from '../palette.js'
import { terminalWidth, widthOf, wrap } from '../wrap.js'

/** The lines of `magnetar check`, one result after another. */
export interface CheckLines {
  /** Shows what is under way, in a terminal only. */
  start(name: CheckName): void
  end(result: CheckResult): void
  /** What is held back: the names of checks that were not tried. */
  flush(): void
}

const NAME_WIDTH = 10
const TIME_WIDTH = 9
const INDENT = ' '.repeat(4 + NAME_WIDTH)
const MAX_WIDTH = 100
const CLEAR_LINE = '\r\x1b[2K'

const LABELS: Partial<Record<CheckName, string>> = { tls: 'TLS' }

export function createCheckLines(stream: Stream, env: NodeJS.ProcessEnv, quiet: boolean): CheckLines {
  const palette = createPalette(stream, env)
  const isLive = stream.isTTY === true && env.TERM !== 'dumb' && !quiet
  // Through a pipe lines are as long as they are; the times stand where they would in a usual terminal.
  const wide = Math.min(MAX_WIDTH, terminalWidth(stream))
  const textWidth = stream.isTTY ? wide - INDENT.length : Number.POSITIVE_INFINITY
  const signs: Readonly<Record<CheckState, string>> = {
    passed: palette.green(SIGNS.done),
    warned: palette.yellow('!'),
    failed: palette.red(SIGNS.failed),
    'left-out': palette.dim('-'),
    'not-tried': palette.dim('-'),
  }
  const label = (name: CheckName): string => (LABELS[name] ?? name).padEnd(NAME_WIDTH)
  let skipped: string[] = []
  let pending = false

  const write = (lines: readonly string[]): void => {
    stream.write(`${pending ? CLEAR_LINE : ''}${lines.map((line) => `${line}\n`).join('')}`)
    pending = false
  }
  const flush = (): void => {
    if (skipped.length > 0) write([palette.dim(`  - not tried: ${skipped.join(', ')}`)])
    skipped = []
  }
  const below = (text: string): string[] =>
    wrap(text, textWidth)
      .split('\n')
      .map((line) => INDENT + line)

  return {
    start(name) {
      flush()
      if (!isLive) return
      stream.write(`${pending ? CLEAR_LINE : ''}  … ${label(name).trimEnd()}`)
      pending = true
    },
    end({ name, state, message, why, fix, ms }) {
      if (quiet && state !== 'failed' && state !== 'warned') return
      if (state === 'not-tried') {
        skipped.push(LABELS[name] ?? name)
        return
      }
      flush()
      const [first = '', ...rest] = wrap(message, textWidth - TIME_WIDTH).split('\n')
      const time = `${formatMs(ms)}`.padStart(TIME_WIDTH)
      const gap = ' '.repeat(Math.max(0, wide - INDENT.length - TIME_WIDTH - widthOf(first)))
      const lines = [
        `  ${signs[state]} ${label(name)}${first}${gap}${palette.dim(time)}`,
        ...rest.map((line) => INDENT + line),
      ]
      if (why !== undefined && state !== 'left-out') lines.push(...below(why))
      if (fix !== undefined) lines.push(...below(`Fix: ${fix}`))
      write(lines)
    },
    flush() {
      if (pending) write([])
      flush()
    },
  }
}

/** "3 ms", "1.8 s", "2 min 5 s" */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${ms} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}
