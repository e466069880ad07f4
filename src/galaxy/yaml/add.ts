import { isSeq } from 'yaml'
import { refuseEdit } from '../../lib/edit/refuse.js'
import { appendLines, insertBelow, lineBreakFor, lineNumber, spliceText } from '../../lib/edit/text-lines.js'
import { deeperCommentsEnd, indentStep, shapeOf } from '../../lib/edit/yaml-layout.js'
import type { Marker } from '../marker.js'
import { renderCommentedOut, renderLine } from './comment.js'
import { insertInFlow } from './flow.js'
import { type Collection, type Item, isCollectionNode, isFlow, listItems } from './items.js'
import { locate } from './locate.js'
import { parseOnce } from './parse.js'
import { type NewEntry, renderLines } from './render.js'

/** The marker of a section that was made, or was empty. */
export function sectionMarker(path: readonly string[]): Marker {
  return { what: 'section', id: path.join('.') }
}

/**
 * Adds an entry to the end of the mapping or list at `path`, which is made where it is missing.
 * @throws MagnetarError EDIT_REFUSED where something else is in the way
 */
export function addEntry(text: string, path: readonly string[], entry: NewEntry, file?: string): string {
  const { parent, parentItem, missing, item, value } = locate(text, path, file)
  if (value) return addToCollection(text, value, item, path, entry, file)
  const [key, ...deeper] = missing
  if (key === undefined) {
    if (!item) throw refuseEdit({ file }, `${path.join('.')} is not understood`)
    return addBelow(text, item, path, entry, file)
  }
  const at = path.slice(0, path.length - deeper.length)
  const holds = deeper.length === 0 && entry.key === undefined ? 'list' : 'mapping'
  const section: NewEntry = { marker: sectionMarker(at), key, value: null, holds }
  const holder = at.slice(0, -1)
  const made = item
    ? addBelow(text, item, holder, section, file)
    : parent
      ? addToCollection(text, parent, parentItem, holder, section, file)
      : spliceText(text, [appendLines(text, linesOf(text, section, 0))])
  return addEntry(made, path, entry, file)
}

function addToCollection(
  text: string,
  node: Collection,
  holder: Item | undefined,
  path: readonly string[],
  entry: NewEntry,
  file: string | undefined,
): string {
  const place = { file, line: lineNumber(text, node.range[0]) }
  const isList = isSeq(node)
  const isAlone =
    isFlow(node) && node.items.length === 0 && holder !== undefined && !isInBrackets(text, path, file)
  if (isAlone) return openAndAdd(text, holder, path, entry, file)
  if (isList !== (entry.key === undefined))
    throw refuseEdit(
      place,
      `${path.join('.')} is ${isList ? 'a list' : 'a mapping'}, which is not expected here`,
    )
  if (isFlow(node)) return spliceText(text, [insertInFlow(text, node, entry)])
  const last = listItems(text, node).at(-1)
  if (!last || last.isUnusual) throw refuseEdit(place, 'its last entry does not begin its line')
  const end = deeperCommentsEnd(text, last.end, holder?.column ?? 0)
  return spliceText(text, [insertBelow(text, end, linesOf(text, entry, last.column))])
}

/** Whether the key at a path stands in brackets itself. */
function isInBrackets(text: string, path: readonly string[], file: string | undefined): boolean {
  const root = parseOnce(text)
  const around = path.slice(0, -1).map((_key, index) => locate(text, path.slice(0, index + 1), file).value)
  return [root, ...around].some(
    (node) => isCollectionNode(node ?? null) && (node as Collection).flow === true,
  )
}

/** A key with nothing below it yet. */
function addBelow(
  text: string,
  item: Item,
  path: readonly string[],
  entry: NewEntry,
  file: string | undefined,
): string {
  const shape = shapeOf(text, item)
  const place = { file, line: lineNumber(text, item.start) }
  if (shape.kind === 'nothing' && !shape.mayHide && !isInBrackets(text, path, file)) {
    const column = item.column + (entry.key === undefined ? listIndent(text) : stepOf(text))
    const end = deeperCommentsEnd(text, item.end, item.column)
    return spliceText(text, [insertBelow(text, end, linesOf(text, entry, column))])
  }
  if (shape.kind === 'scalar' && shape.isEmpty && !shape.mayHide && !isInBrackets(text, path, file))
    return openAndAdd(text, item, path, entry, file)
  throw refuseEdit(place, `${path.join('.')} has a single value where keys are expected`)
}

/** `tools: []` is commented out, and `tools:` with lines below it comes into its place. */
function openAndAdd(
  text: string,
  item: Item,
  path: readonly string[],
  entry: NewEntry,
  file: string | undefined,
): string {
  const line = text.slice(item.start, item.end)
  const place = { file, line: lineNumber(text, item.start) }
  const { mayHide } = shapeOf(text, item)
  if (line.includes('\n') || mayHide || item.isUnusual)
    throw refuseEdit(
      place,
      `${path.join('.')} is empty in a way that cannot be filled`,
      'write it as one key on a line',
    )
  const lineBreak = lineBreakFor(text, text.length)
  const comment = renderCommentedOut(sectionMarker(path), line, item.column, lineBreak)
  const opened = comment + lineBreak + text.slice(item.start, item.colonEnd)
  return addEntry(spliceText(text, [{ start: item.start, end: item.end, text: opened }]), path, entry, file)
}

function linesOf(text: string, entry: NewEntry, column: number): string[] {
  return [`${' '.repeat(column)}${renderLine(entry.marker)}`, ...renderLines(entry, column, stepOf(text))]
}

function stepOf(text: string): number {
  return indentStep(text, parseOnce(text))
}

/** By how much the lists of the file are indented; none where it has no list to show it: 2. */
function listIndent(text: string): number {
  const root = parseOnce(text)
  if (!root || !isCollectionNode(root) || isFlow(root)) return 2
  for (const { value, column } of listItems(text, root)) {
    if (!isCollectionNode(value) || isFlow(value) || !isSeq(value)) continue
    return (listItems(text, value)[0]?.column ?? column + 2) - column
  }
  return 2
}
