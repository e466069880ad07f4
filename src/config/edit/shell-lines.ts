import { afterLineBreak, endOfLine } from '../../lib/edit/text-lines.js'

/** One line of a shell script. */
export interface ShellLine {
  readonly start: number
  /** Before the line break. */
  readonly end: number
  readonly text: string
  /** The line begins within quotes or a here-document, or goes on with the line above it (a backslash). */
  readonly isContinued: boolean
}

type Quote = "'" | '"' | ''

/** The lines of a script, with as much knowledge of the shell as it takes to tell which begin a command. */
export function listShellLines(text: string): ShellLine[] {
  const lines: ShellLine[] = []
  let state: { quote: Quote; backslash: boolean } = { quote: '', backslash: false }
  let hereDocument: string | undefined
  for (let start = 0; start < text.length; ) {
    const end = endOfLine(text, start)
    const line = text.slice(start, end)
    const isContinued = state.quote !== '' || state.backslash || hereDocument !== undefined
    lines.push({ start, end, text: line, isContinued })
    if (hereDocument !== undefined) {
      if (line.trimStart() === hereDocument) hereDocument = undefined
    } else {
      state = scanLine(line, state.quote)
      hereDocument =
        state.quote === '' ? /(?<!<)<<-?\s*\\?["']?(\w+)/.exec(withoutComment(line))?.[1] : undefined
    }
    start = afterLineBreak(text, end)
  }
  return lines
}

function withoutComment(line: string): string {
  return line.replace(/(^|\s)#.*$/, '')
}

function scanLine(line: string, open: Quote): { quote: Quote; backslash: boolean } {
  let quote = open
  for (let at = 0; at < line.length; at++) {
    const character = line[at]
    if (character === '\\' && quote !== "'") {
      if (at === line.length - 1) return { quote, backslash: true }
      at += 1
    } else if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === "'" || character === '"') quote = character
    else if (character === '#' && (at === 0 || /\s/.test(line[at - 1] ?? ''))) break
  }
  return { quote, backslash: false }
}

/** A word at the beginning of `text`. */
export interface ShellWord {
  /** What the shell makes of it; what is written, when that depends on expansions (`$HOME`). */
  readonly value: string
  readonly isLiteral: boolean
  readonly length: number
}

/** What expands unquoted and in double quotes; in single quotes nothing does. */
const EXPANDS: Readonly<Record<Quote, RegExp>> = { '': /[$`*?[{]/, '"': /[$`]/, "'": /(?!)/ }

/** Reads one word with its quotes; undefined when a quote is not closed on this line, or the word ends in an operator. */
export function readShellWord(text: string): ShellWord | undefined {
  let value = ''
  let isLiteral = true
  let quote: Quote = ''
  let at = 0
  for (; at < text.length; at++) {
    const character = text[at] ?? ''
    if (quote === '' && /[ \t]/.test(character)) break
    if (quote === '' && /[;&|<>()]/.test(character)) return undefined
    if (character === '\\' && quote !== "'") {
      at += 1
      const next = text[at]
      if (next === undefined) return undefined
      // Within double quotes a backslash stands for itself before most characters.
      value += quote === '"' && !/[$`"\\]/.test(next) ? `\\${next}` : next
    } else if (character === quote) quote = ''
    else if (quote === '' && (character === "'" || character === '"')) quote = character
    else {
      // ~ expands at the beginning of a value and after its colons.
      const isHome = quote === '' && character === '~' && (at === 0 || text[at - 1] === ':')
      if (isHome || EXPANDS[quote].test(character)) isLiteral = false
      value += character
    }
  }
  if (quote !== '') return undefined
  return { value: isLiteral ? value : text.slice(0, at), isLiteral, length: at }
}
