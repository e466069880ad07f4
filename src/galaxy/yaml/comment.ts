import { endOfLine, startOfLine } from '../../lib/edit/text-lines.js'
import { type Marker, readMarker, renderMarker } from '../marker.js'

/** A comment of ours and the lines below it that it has commented out. */
export interface MarkedLine {
  readonly marker: Marker
  /** Of its line. */
  readonly start: number
  /** Of the last line that belongs to it, before the line break. */
  readonly end: number
  /** What was there before; undefined: nothing. */
  readonly instead: string | undefined
  /** It stands in brackets, and a line break behind its thing is ours as well. */
  readonly isInBrackets: boolean
}

const IN_BRACKETS = 'in brackets'
const COUNT = /^instead of (\d+) lines?:$/
const TEXT = /^instead of (.+)$/

export function renderLine(marker: Marker): string {
  return `# ${renderMarker(marker)}`
}

/** In brackets, before the thing itself; `instead`: what was there, on one line. */
export function renderInBrackets(marker: Marker, instead?: string): string {
  return renderLine({ ...marker, remark: instead === undefined ? IN_BRACKETS : `instead of ${instead}` })
}

/** The comment and, below it, whole lines commented out. */
export function renderCommentedOut(marker: Marker, lines: string, column: number, lineBreak: string): string {
  const all = lines.split('\n')
  const indent = ' '.repeat(column)
  const commented = all.map((line) =>
    line.startsWith(indent) ? `${indent}# ${line.slice(column)}` : `${indent}#<${line}`,
  )
  const remark = `instead of ${all.length} line${all.length === 1 ? '' : 's'}:`
  return `${indent}${renderLine({ ...marker, remark })}${lineBreak}${commented.join('\n')}`
}

function uncomment(line: string): string {
  const [, indent = '', sign, text = ''] = /^( *)#([ <])(.*)$/s.exec(line) ?? []
  if (sign === undefined) return line
  return sign === '<' ? text : indent + text
}

/** The marker of what begins at the line of `offset`: the nearest one above it with nothing but comments and empty lines in between. */
export function markerAbove(text: string, offset: number): MarkedLine | undefined {
  for (let start = startOfLine(text, offset); start > 0; ) {
    start = startOfLine(text, start - 1)
    const line = text.slice(start, endOfLine(text, start)).replace(/^\ufeff/, '')
    const found = readLine(text, start)
    if (found) return found
    if (!/^\s*(#|$)/.test(line)) return undefined
  }
  return undefined
}

/** All lines that are markers, wherever they stand. */
export function listMarkedLines(text: string): MarkedLine[] {
  const found: MarkedLine[] = []
  for (let start = 0; start < text.length; ) {
    const marked = readLine(text, start)
    if (marked) found.push(marked)
    const next = text.indexOf('\n', start)
    start = next === -1 ? text.length : next + 1
  }
  return found
}

function readLine(text: string, start: number): MarkedLine | undefined {
  const end = endOfLine(text, start)
  const [, comment = ''] = /^\ufeff?[ \t]*# (.*)$/.exec(text.slice(start, end)) ?? []
  const marker = readMarker(comment)
  if (!marker) return undefined
  const count = Number(COUNT.exec(marker.remark ?? '')?.[1] ?? 0)
  if (count === 0) {
    const instead = TEXT.exec(marker.remark ?? '')?.[1]
    return {
      marker,
      start,
      end,
      instead,
      isInBrackets: instead !== undefined || marker.remark === IN_BRACKETS,
    }
  }
  let last = end
  for (let line = 0; line < count && last < text.length; line++)
    last = endOfLine(text, text.indexOf('\n', last) + 1)
  const lines = text.slice(text.indexOf('\n', end) + 1, last).split('\n')
  // Some of them are gone: what is left says no more what was there.
  const isWhole = lines.length === count && lines.every((line) => /^ *#[ <]/.test(line))
  if (!isWhole) return { marker, start, end, instead: undefined, isInBrackets: false }
  return { marker, start, end: last, instead: lines.map(uncomment).join('\n'), isInBrackets: false }
}
