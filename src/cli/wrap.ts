import { stripVTControlCharacters } from 'node:util'

const MIN_WIDTH = 20

/** Columns of the terminal, less one so that a full line never wraps by itself; 79 when it is not known, or said to be 0 (a terminal that nobody sized). */
export function terminalWidth(stream: { readonly columns?: number } = process.stdout): number {
  return Math.max(MIN_WIDTH, (stream.columns || 80) - 1)
}

/**
 * Breaks lines at spaces to `width` columns; `indent` goes before every line but the first of each. A word that is longer than a
 * line stays whole, so that it can be copied. Colours count nothing.
 */
export function wrap(text: string, width: number, indent = ''): string {
  return text
    .split('\n')
    .map((line) => wrapLine(line, width, indent))
    .join('\n')
}

function wrapLine(line: string, width: number, indent: string): string {
  const [lead = ''] = /^ */.exec(line) ?? []
  const lines: string[] = []
  let current = lead
  let empty = true
  for (const word of line.slice(lead.length).split(' ')) {
    if (!empty && widthOf(current) + 1 + widthOf(word) > width) {
      lines.push(current)
      current = indent
      empty = true
    }
    current += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, current].join('\n')
}

/** Columns that a text takes, without the colours in it. */
export function widthOf(text: string): number {
  return stripVTControlCharacters(text).length
}
