import { isAlias, isMap, isScalar, isSeq, type ParsedNode, type YAMLMap, type YAMLSeq } from 'yaml'
import { endOfLine, startOfLine } from '../../lib/edit/text-lines.js'
import { contentEnd, listEntries } from '../../lib/edit/yaml-layout.js'

export type Collection = YAMLMap.Parsed<ParsedNode, ParsedNode | null> | YAMLSeq.Parsed<ParsedNode>

/** One entry of a mapping or a list, and where it stands. */
export interface Item {
  /** Of a mapping. */
  readonly key: string | undefined
  readonly value: ParsedNode | null
  /** Of whole lines, or in brackets of the entry itself. */
  readonly start: number
  /** Before the line break. */
  readonly end: number
  /** Of the key or the dash. */
  readonly column: number
  /** Behind the colon. */
  readonly colonEnd: number
  /** It does not begin its line as `key:` or `-`. */
  readonly isUnusual: boolean
}

export function isCollectionNode(node: ParsedNode | null): node is Collection {
  return isMap(node) || isSeq(node)
}

export function isFlow(node: Collection): boolean {
  return node.flow === true
}

/** The entries of a mapping or a list, as they stand in the file. */
export function listItems(text: string, node: Collection): Item[] {
  if (isFlow(node)) return isMap(node) ? flowPairs(text, node) : flowValues(text, node)
  return isMap(node) ? blockPairs(text, node) : blockValues(text, node)
}

function blockPairs(text: string, map: YAMLMap.Parsed<ParsedNode, ParsedNode | null>): Item[] {
  return listEntries(text, map).map(
    ({ name, value, lineStart, lastLineEnd, column, colonEnd, isUnusual }) => ({
      key: name,
      value,
      start: lineStart,
      end: lastLineEnd,
      column,
      colonEnd,
      isUnusual,
    }),
  )
}

function blockValues(text: string, list: YAMLSeq.Parsed<ParsedNode>): Item[] {
  const token = list.srcToken
  const dashes =
    token?.type === 'block-seq'
      ? token.items.flatMap(({ start }) => start.filter(({ type }) => type === 'seq-item-ind'))
      : []
  return dashes.map(({ offset }, index) => {
    const value = list.items[index] ?? null
    const start = startOfLine(text, offset)
    const isNothing = isScalar(value) && value.srcToken === undefined
    const last = value && !isNothing ? contentEnd(text, value) : offset + 1
    return {
      key: undefined,
      value,
      start,
      end: endOfLine(text, last),
      column: offset - start,
      colonEnd: offset + 1,
      isUnusual: text.slice(start, offset).trim() !== '',
    }
  })
}

function flowPairs(text: string, map: YAMLMap.Parsed<ParsedNode, ParsedNode | null>): Item[] {
  return map.items.map(({ key, value }) => {
    const [start] = key.range
    const end = value && !(isScalar(value) && value.srcToken === undefined) ? value.range[1] : key.range[1]
    const name = isScalar(key) ? (key.source ?? String(key.value ?? '')) : ''
    return {
      key: name,
      value,
      ...flowSpan(text, start, end),
      colonEnd: key.range[1],
      isUnusual: isAlias(key),
    }
  })
}

function flowValues(text: string, list: YAMLSeq.Parsed<ParsedNode>): Item[] {
  return list.items.map((value) => {
    const [start, end] = value.range ?? [0, 0]
    return { key: undefined, value, ...flowSpan(text, start, end), colonEnd: start, isUnusual: false }
  })
}

function flowSpan(text: string, start: number, end: number): Pick<Item, 'start' | 'end' | 'column'> {
  return { start, end, column: start - startOfLine(text, start) }
}
