import { refuseEdit } from '../../lib/edit/refuse.js'
import {
  endOfLine,
  lineBreakFor,
  lineNumber,
  type Splice,
  spliceText,
  startOfLine,
} from '../../lib/edit/text-lines.js'
import { type MarkedLine, markerAbove, renderInBrackets, renderLine } from './comment.js'
import { type Collection, type Item, listItems } from './items.js'
import { type NewEntry, renderFlow } from './render.js'

/** A new entry at the end of a mapping or list in brackets, on a line of its own below its comment. */
export function insertInFlow(text: string, node: Collection, entry: NewEntry): Splice {
  const bracket = node.range[1] - 1
  const items = listItems(text, node)
  const last = items.at(-1)
  const rest = text.slice(last?.end ?? node.range[0] + 1, bracket).replace(/#[^\n]*/g, '')
  const written = `${last && !rest.includes(',') ? ', ' : ''}${renderFlow(entry)}`
  const lineBreak = lineBreakFor(text, text.length)
  const line = startOfLine(text, bracket)
  if (line > node.range[0] && text.slice(line, bracket).trim() === '') {
    // The bracket has a line of its own: above that.
    const at = endOfLine(text, line === 0 ? 0 : previousLine(text, line))
    const isOnOwnLine = last !== undefined && startOfLine(text, last.start) > node.range[0]
    const indent = lineBreak + ' '.repeat(isOnOwnLine ? blanksBefore(text, last.start) : bracket - line + 2)
    // The line break before the bracket can be one of ours, which the last of them takes away.
    const isOurs = last !== undefined && isAfterBracketMarker(text, last)
    const comment = isOurs ? renderInBrackets(entry.marker) : renderLine(entry.marker)
    return { start: at, end: at, text: `${indent}${comment}${indent}${written}` }
  }
  const indent = lineBreak + ' '.repeat(indentOf(text, node.range[0]))
  return {
    start: bracket,
    end: bracket,
    text: `${indent}${renderInBrackets(entry.marker)}${indent}${written}${indent}`,
  }
}

/** Comments an entry in brackets out and puts another text into its place. */
export function replaceInFlow(text: string, item: Item, entry: NewEntry['marker'], written: string): Splice {
  const indent = lineBreakFor(text, text.length) + ' '.repeat(indentOf(text, item.start))
  const comment = renderInBrackets(entry, text.slice(item.start, item.end))
  return { start: item.start, end: item.end, text: `${indent}${comment}${indent}${written}${indent}` }
}

/** Takes an entry in brackets away with its comment, and puts back what was there. */
export function removeFromFlow(
  text: string,
  node: Collection,
  item: Item,
  marked: MarkedLine,
  file: string | undefined,
): string {
  const line = startOfLine(text, item.start)
  if (text.slice(marked.end, line).trim() !== '')
    throw refuseEdit(
      { file, line: lineNumber(text, item.start) },
      'there is another comment between this and the comment of "magnetar galaxy connect"',
      'move it elsewhere',
    )
  const start = startOfLine(text, marked.start)
  const before = text.startsWith('\r\n', start - 2) ? start - 2 : Math.max(0, start - 1)
  const end = item.end + ownLineBreak(text, node, item, marked)
  const removed = { start: before, end, text: marked.instead ?? '' }
  if (marked.instead !== undefined || text.slice(line, item.start).includes(','))
    return spliceText(text, [removed])
  // The comma behind it would be one too many.
  const comma = /^(?:\s|#[^\n]*)*,/.exec(text.slice(item.end))?.[0].length ?? 0
  const at = item.end + comma
  return spliceText(text, comma === 0 ? [removed] : [removed, { start: at - 1, end: at, text: '' }])
}

/** How long the line break behind an entry is that came with it. */
function ownLineBreak(
  text: string,
  node: Collection,
  item: Item,
  { start, instead, isInBrackets }: MarkedLine,
): number {
  if (!isInBrackets) return 0
  const [indent = ''] = /^ */.exec(text.slice(start)) ?? []
  const [own = ''] = new RegExp(`^\\r?\\n {${indent.length}}`).exec(text.slice(item.end)) ?? []
  const rest = text.slice(item.end + own.length)
  // It has gone behind what was added afterwards.
  if (instead !== undefined) return /^ *#/.test(rest) ? 0 : own.length
  const items = listItems(text, node)
  const previous = items[items.findIndex((each) => each.start === item.start) - 1]
  // That of the one before has come to stand here, unless it is still between the two.
  const isShared =
    previous !== undefined &&
    isAfterBracketMarker(text, previous) &&
    text.slice(previous.end, startOfLine(text, start)).split('\n').length === 2
  return isShared || !/^\s*[\]}]/.test(rest) ? 0 : own.length
}

function isAfterBracketMarker(text: string, { start }: Item): boolean {
  return (
    /^\s*(, ?)?$/.test(text.slice(startOfLine(text, start), start)) &&
    markerAbove(text, start)?.isInBrackets === true
  )
}

/** Deeper than the mapping that the line is in, whatever it is. */
function indentOf(text: string, offset: number): number {
  return blanksBefore(text, offset) + 4
}

/** That the line of an offset begins with. */
function blanksBefore(text: string, offset: number): number {
  return /^ */.exec(text.slice(startOfLine(text, offset)))?.[0].length ?? 0
}

function previousLine(text: string, line: number): number {
  return startOfLine(text, line - 1)
}
