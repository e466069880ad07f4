import type { Flag } from './options.js'

const PROGRAM = 'pulsar-config'
const HELP: Pick<Flag, 'help'> & { readonly words: string } = {
  words: '-h, --help',
  help: 'Show this and end.',
}
/** argparse.py HelpFormatter: where the descriptions begin, and how narrow they may become. */
const HELP_COLUMN = 24
const MIN_WIDTH = 11

/** `usage: pulsar-config [-h] [--directory DIRECTORY] …`, wrapped as argparse does for a terminal of `columns`. */
export function renderUsage(flags: readonly Flag[], columns: number): string {
  const parts = ['[-h]', ...flags.map((flag) => `[${wordsOf(flag)}]`)]
  const prefix = `usage: ${PROGRAM} `
  const lines = wrap(parts, columns - 2 - prefix.length)
  return `${lines.map((line, index) => (index === 0 ? prefix : ' '.repeat(prefix.length)) + line).join('\n')}\n`
}

/** What --help prints. */
export function renderHelp(flags: readonly Flag[], columns: number): string {
  const entries = [HELP, ...flags.map((flag) => ({ words: wordsOf(flag), help: flag.help }))]
  const width = columns - 2
  return [
    renderUsage(flags, columns),
    ...wrap(
      'Writes a minimal configuration of a Pulsar node into a directory. Nothing is asked.'.split(' '),
      width,
    ),
    '',
    'options:',
    ...entries.flatMap(({ words, help }) => renderEntry(words, help, width)),
    '',
    ...wrap(
      '"magnetar setup" does all of this and the rest: user, service, a check with a real job.'.split(' '),
      width,
    ),
    '',
  ].join('\n')
}

/** What stands before the reason when the command line is wrong. */
export function renderUsageError(flags: readonly Flag[], columns: number, message: string): string {
  return `${renderUsage(flags, columns)}${PROGRAM}: error: ${message}\n`
}

function renderEntry(words: string, help: string, width: number): string[] {
  const column = ' '.repeat(HELP_COLUMN)
  const text = wrap(help.split(' '), Math.max(width - HELP_COLUMN, MIN_WIDTH)).map((line) => column + line)
  const head = `  ${words}`
  // Two blanks at least between the flag and its description; else that begins on a line of its own.
  if (head.length > HELP_COLUMN - 2) return [head, ...text]
  return [head + (text[0] ?? '').slice(head.length), ...text.slice(1)]
}

function wordsOf({ name, argument }: Flag): string {
  return argument === undefined ? name : `${name} ${argument}`
}

/** Lines of whole words; one that is too long for a line gets its own. */
function wrap(words: readonly string[], width: number): string[] {
  const lines: string[] = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
