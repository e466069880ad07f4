/** A word of a command line, and where it stands in it. */
export interface CommandWord {
  /** Without its quotes. */
  readonly text: string
  readonly start: number
  readonly end: number
}

/**
 * Splits a command as Supervisor (shlex) and systemd do, where the two agree: blanks, single and double quotes, backslashes.
 * undefined: a quote is left open.
 */
export function splitCommand(command: string): CommandWord[] | undefined {
  const words: CommandWord[] = []
  let at = 0
  while (at < command.length) {
    if (/\s/.test(command.charAt(at))) {
      at += 1
      continue
    }
    const start = at
    let text = ''
    let quote = ''
    for (; at < command.length && (quote !== '' || !/\s/.test(command.charAt(at))); at += 1) {
      const character = command.charAt(at)
      if (quote === '' && /['"]/.test(character)) quote = character
      else if (character === quote) quote = ''
      else if (character === '\\' && quote !== "'") text += command.charAt(++at)
      else text += character
    }
    if (quote !== '') return undefined
    words.push({ text, start, end: at })
  }
  return words
}
