import { refuseEdit } from '../../lib/edit/refuse.js'
import {
  endOfLine,
  lineBreakFor,
  lineNumber,
  type Splice,
  spliceText,
  startOfLine,
} from '../../lib/edit/text-lines.js'
import { type MarkedLine, renderInBrackets, renderLine } from './comment.js'
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
    const above =
      last && last.column > 0 && startOfLine(text, last.start) > node.range[0] ? last.column : undefined
    const indent = lineBreak + ' '.repeat(above ?? bracket - line + 2)
    return { start: at, end: at, text: `${indent}${renderLine(entry.marker)}${indent}${written}` }
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
  item: Item,
  { start, end, instead, isInBrackets }: MarkedLine,
  file: string | undefined,
): string {
  if (text.slice(end, startOfLine(text, item.start)).trim() !== '')
    throw refuseEdit(
      { file, line: lineNumber(text, item.start) },
      'there is another comment between this and the comment of "magnetar galaxy connect"',
      'move it elsewhere',
    )
  const [indent = ''] = /^ */.exec(text.slice(start)) ?? []
  const [own = ''] = isInBrackets
    ? (new RegExp(`^\\r?\\n {${indent.length}}`).exec(text.slice(item.end)) ?? [])
    : []
  const before = text.startsWith('\r\n', start - 2) ? start - 2 : Math.max(0, start - 1)
  return spliceText(text, [{ start: before, end: item.end + own.length, text: instead ?? '' }])
}

/** Deeper than the mapping that the line is in, whatever it is. */
function indentOf(text: string, offset: number): number {
  return (/^ */.exec(text.slice(startOfLine(text, offset)))?.[0].length ?? 0) + 4
}

function previousLine(text: string, line: number): number {
  return startOfLine(text, line - 1)
}
