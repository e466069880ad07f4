import { lineBreakFor, type Splice, startOfLine } from '../../lib/edit/text-lines.js'
import type { XmlElement } from './tree.js'

/** The blanks and tabs that the line of an offset begins with. */
export function indentBefore(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(startOfLine(text, offset), offset))?.[0] ?? ''
}

/** By how much the file indents what is in an element; four blanks where nothing shows it. */
export function stepOf(text: string, root: XmlElement): string {
  const outer = indentBefore(text, root.start)
  for (const child of root.children) {
    const line = text.slice(startOfLine(text, child.start), child.start)
    if (line.trim() === '' && line.length > outer.length && line.startsWith(outer))
      return line.slice(outer.length)
  }
  return '    '
}

/** New lines at the end of an element, indented like the last thing in it. */
export function insertLast(text: string, parent: XmlElement, lines: readonly string[]): Splice {
  const content = text.slice(parent.openEnd, parent.closeStart)
  const last = parent.openEnd + content.trimEnd().length
  // Behind the blanks at the end of that line; an end tag on the same line goes to the last of the new ones.
  const blanks = /^[ \t]*(?=\r?\n)/.exec(text.slice(last, parent.closeStart))?.[0].length ?? 0
  const at = last + blanks
  const separator =
    lineBreakFor(text, at) + (indentOfChildren(text, parent) ?? `${indentBefore(text, parent.start)}    `)
  return { start: at, end: at, text: lines.map((line) => separator + line).join('') }
}

function indentOfChildren(text: string, { children, start }: XmlElement): string | undefined {
  const own = startOfLine(text, start)
  const first = children.findLast(({ start: at }) => {
    const line = startOfLine(text, at)
    return line !== own && text.slice(line, at).trim() === ''
  })
  return first && indentBefore(text, first.start)
}

/** Takes an element or a comment away, with the line break and the blanks before it if it begins its line. */
export function removeWithLine(
  text: string,
  { start, end }: { readonly start: number; readonly end: number },
): Splice {
  const before = /(?:\r?\n)[ \t]*$/.exec(text.slice(0, start))?.[0].length ?? 0
  return { start: start - before, end, text: '' }
}
