/** A stretch of a text and what comes in its place. */
export interface Splice {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Replaces stretches that do not overlap; everything else stays byte for byte. Of two at one place the first goes first. */
export function spliceText(text: string, splices: readonly Splice[]): string {
  let result = ''
  let at = 0
  for (const { start, end, text: replacement } of splices.toSorted((a, b) => a.start - b.start)) {
    result += text.slice(at, start) + replacement
    at = end
  }
  return result + text.slice(at)
}

/** Where the line that `offset` is in begins. */
export function startOfLine(text: string, offset: number): number {
  return offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1
}

/** Where the line that `offset` is in ends: before its line break, or at the end of the text. */
export function endOfLine(text: string, offset: number): number {
  const newline = text.indexOf('\n', offset)
  if (newline === -1) return text.length
  return newline > offset && text[newline - 1] === '\r' ? newline - 1 : newline
}

/** Where the next line begins, for an `end` as `endOfLine` gives it. */
export function afterLineBreak(text: string, end: number): number {
  return end + lineBreakAt(text, end).length
}

function lineBreakAt(text: string, end: number): '' | '\n' | '\r\n' {
  if (text.startsWith('\r\n', end)) return '\r\n'
  return text[end] === '\n' ? '\n' : ''
}

/** The line break to write after a line that ends at `end`: its own, else the first of the text, else "\n". */
export function lineBreakFor(text: string, end: number): '\n' | '\r\n' {
  return lineBreakAt(text, end) || (/\r?\n/.exec(text)?.[0] === '\r\n' ? '\r\n' : '\n')
}

/** New lines below the one that ends at `end`. A last line without line break gets one; the new last line then has none. */
export function insertBelow(text: string, end: number, lines: readonly string[]): Splice {
  const lineBreak = lineBreakFor(text, end)
  return { start: end, end, text: lines.map((line) => lineBreak + line).join('') }
}

/** New lines at the end of the text; a text that does not end in a line break gets one before them instead of after. */
export function appendLines(text: string, lines: readonly string[]): Splice {
  const lineBreak = lineBreakFor(text, text.length)
  const added =
    text === '' || text === '\ufeff' || text.endsWith('\n')
      ? lines.map((line) => line + lineBreak)
      : lines.map((line) => lineBreak + line)
  return { start: text.length, end: text.length, text: added.join('') }
}

/** Takes away whole lines, from the beginning of one to the `end` (before its line break) of the same or a later one. */
export function removeLines(text: string, start: number, end: number): Splice {
  const next = afterLineBreak(text, end)
  if (next > end || text[start - 1] !== '\n') return { start, end: next, text: '' }
  // The last line, without a line break: then the line above it becomes one.
  const before = text.startsWith('\r\n', start - 2) ? start - 2 : start - 1
  return { start: before, end: next, text: '' }
}

/** 1-based. */
export function lineNumber(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1
  return line
}
