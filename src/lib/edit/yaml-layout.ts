import {
  isAlias,
  isCollection,
  isMap,
  isScalar,
  type Node,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from 'yaml'
import { endOfLine, startOfLine } from './text-lines.js'
import { resolvePlainScalar } from './yaml-scalars.js'

type BlockMap = YAMLMap.Parsed<ParsedNode, ParsedNode | null>

/** One key of a block mapping with its value: where it stands in the text. */
export interface Entry {
  readonly name: string
  readonly lineStart: number
  /** Of the key, in characters. */
  readonly column: number
  /** Behind the colon. */
  readonly colonEnd: number
  readonly value: ParsedNode | null
  /** End of the last line that has something of the value on it. */
  readonly lastLineEnd: number
  /** Anything but `key:` at the beginning of a line: `? key`, an anchor, a tag, an alias. */
  readonly isUnusual: boolean
  /** `<<`, which takes keys from elsewhere. */
  readonly isMerge: boolean
}

export type Quotes = "'" | '"' | ''

/** What stands after a key, as far as editing tells it apart. */
export type Shape =
  /** `mayHide`: an anchor or tag stands with the value, so something else may depend on it. */
  | { readonly kind: 'nothing' | 'alias' | 'block list' | 'block scalar'; readonly mayHide: boolean }
  /** `isEmpty`: `~`, `null` or `{}` on the line of the key, which can give way to keys. */
  | { readonly kind: 'scalar'; readonly mayHide: boolean; readonly isEmpty: boolean; readonly quotes: Quotes }
  | { readonly kind: 'flow'; readonly mayHide: boolean; readonly isEmpty: boolean }
  | { readonly kind: 'block mapping'; readonly mayHide: boolean; readonly map: BlockMap }

/** The contents of the only document of a text that is known to be YAML; null: there is nothing but comments. */
export function parseLayout(text: string): ParsedNode | null {
  const document = parseDocument(text, {
    version: '1.1',
    schema: 'failsafe',
    uniqueKeys: false,
    keepSourceTokens: true,
    prettyErrors: false,
    logLevel: 'error',
  })
  const { contents } = document
  return contents === null || (isScalar(contents) && contents.srcToken === undefined) ? null : contents
}

/** The keys of a block mapping, in the order of the file. */
export function listEntries(text: string, map: BlockMap): Entry[] {
  return map.items.map(({ key, value }) => {
    const keyStart = key.range[0]
    const lineStart = skipByteOrderMark(text, startOfLine(text, keyStart))
    const colon = /[ \t]*:/y
    colon.lastIndex = key.range[1]
    const hasColon = isScalar(key) && colon.test(text)
    const source = isScalar(key) ? (key.source ?? String(key.value ?? '')) : ''
    return {
      name: source,
      lineStart,
      column: keyStart - lineStart,
      colonEnd: hasColon ? colon.lastIndex : key.range[1],
      value,
      lastLineEnd: endOfLine(text, contentEnd(text, value ?? key)),
      isUnusual: !hasColon || text.slice(lineStart, keyStart).trim() !== '',
      isMerge: source === '<<' && isScalar(key) && key.type === 'PLAIN',
    }
  })
}

/** What the value of an entry is. */
export function shapeOf(text: string, { value, colonEnd }: Pick<Entry, 'value' | 'colonEnd'>): Shape {
  if (value === null) return { kind: 'nothing', mayHide: false }
  if (isAlias(value)) return { kind: 'alias', mayHide: false }
  const isOnLine = !text.slice(colonEnd, value.range[0]).includes('\n')
  const mayHide = value.anchor !== undefined || value.tag !== undefined
  if (isCollection(value)) {
    if (value.flow)
      return { kind: 'flow', mayHide, isEmpty: isOnLine && /^\{ *\}$/.test(sourceOf(text, value)) }
    return isMap(value) ? { kind: 'block mapping', mayHide, map: value } : { kind: 'block list', mayHide }
  }
  if (value.srcToken === undefined) return { kind: 'nothing', mayHide }
  if (isBlockScalar(value)) return { kind: 'block scalar', mayHide }
  const quotes = value.type === 'QUOTE_SINGLE' ? "'" : value.type === 'QUOTE_DOUBLE' ? '"' : ''
  const isNull = value.type === 'PLAIN' && resolvePlainScalar(sourceOf(text, value)).type === 'null'
  return { kind: 'scalar', mayHide, isEmpty: isOnLine && isNull, quotes }
}

function sourceOf(text: string, node: ParsedNode): string {
  return text.slice(node.range[0], node.range[1])
}

function isBlockScalar(node: Node): boolean {
  return isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED')
}

/** The end of the last character that is something of the node: no comment, no blank line. */
export function contentEnd(text: string, node: ParsedNode): number {
  if (isBlockScalar(node)) {
    const source = sourceOf(text, node)
    // With `+` the empty lines at the end are part of the value.
    const isKept = /^[|>]\d?\+/.test(source)
    return node.range[0] + (isKept ? source.replace(/\r?\n$/, '') : source.trimEnd()).length
  }
  const last = isCollection(node) && !node.flow ? node.items.at(-1) : undefined
  if (last === undefined) return node.range[1]
  if (!('key' in last)) return contentEnd(text, last)
  // A null after the colon stands where the colon ends.
  return contentEnd(text, last.value ?? last.key)
}

/**
 * Where the comments end that stand below a line and deeper than `column`, with empty lines in between: they belong to what is
 * above them. `lineEnd` itself when there are none.
 */
export function deeperCommentsEnd(text: string, lineEnd: number, column: number): number {
  let end = lineEnd
  const next = /\r?\n( *)(#?)[^\n]*/y
  next.lastIndex = lineEnd
  for (let found = next.exec(text); found; found = next.exec(text)) {
    const [line, spaces = '', sign] = found
    if (sign === '#' && spaces.length > column) end = found.index + line.replace(/\r$/, '').length
    else if (line.trim() !== '') break
  }
  return end
}

/** Blanks by which the file indents a mapping in a mapping; 2 when it has none. */
export function indentStep(text: string, root: ParsedNode | null): number {
  if (!root || !isMap(root) || root.flow) return 2
  for (const entry of listEntries(text, root)) {
    const shape = shapeOf(text, entry)
    if (shape.kind !== 'block mapping') continue
    const inner = listEntries(text, shape.map)[0]
    if (inner && inner.column > entry.column) return inner.column - entry.column
  }
  return 2
}

function skipByteOrderMark(text: string, lineStart: number): number {
  return lineStart === 0 && text.startsWith('\ufeff') ? 1 : lineStart
}
