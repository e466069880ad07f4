import { resolvePlainScalar } from '../lib/edit/yaml-scalars.js'
import type { ConfigNode, MappingNode, ScalarNode, SequenceNode } from './node.js'

/**
 * Reads the plain sort of YAML that nearly every app.yml is: block mappings and lists, one-line scalars, comments. For anything
 * else it returns undefined and the yaml package decides, which takes 30 ms to load: a sixth of what a start may take. What
 * it does read, it reads as the package does; a test compares the two on tables, real files and thousands of mutations.
 */
export function parseSimpleYaml(text: string, file: string): MappingNode | undefined {
  const lines = splitLines(text)
  if (!lines || lines.length === 0) return undefined
  const reader: Reader = { file, lines, at: 0, depth: 0 }
  const root = lines[0]?.indent === 0 && !lines[0].item ? readMapping(reader, 0, 1) : undefined
  return reader.at === lines.length ? root : undefined
}

/** One line with something on it. */
interface Line {
  readonly number: number
  /** Column of `body`. */
  readonly indent: number
  /** The line is an entry of a list; then `dash` is the column of its `-`, and `body` what follows it. */
  readonly item: boolean
  readonly dash: number
  readonly body: string
}

interface Reader {
  readonly file: string
  readonly lines: Line[]
  at: number
  depth: number
}

const MAX_LINE = 1000
const MAX_DEPTH = 20
const COMMENT_LINE = /^ *(?:#[\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd]*)?$/
const LINE = /^( *)(- +)?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?) *$/

/** Undefined when there is a line of another sort: tabs, other control characters or alphabets, a second document, a lone "-". */
function splitLines(text: string): Line[] | undefined {
  const lines: Line[] = []
  let started = false
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    if (COMMENT_LINE.test(raw)) continue
    if (raw.length > MAX_LINE) return undefined
    if (raw === '---' && !started) {
      started = true
      continue
    }
    started = true
    const [, spaces, dash = '', body] = LINE.exec(raw) ?? []
    if (spaces === undefined || body === undefined || body === '-') return undefined
    lines.push({
      number: index + 1,
      indent: spaces.length + dash.length,
      item: dash !== '',
      dash: spaces.length,
      body,
    })
  }
  return lines
}

const ENTRY = /^(?:([A-Za-z_][\w.-]*)|"([\w.-]+)"|'([\w.-]+)') *:(?: +(.*))?$/

/** The mapping whose keys stand at `indent`, from the current line on. The first line may be that of a list's entry. */
function readMapping(reader: Reader, indent: number, number: number): MappingNode | undefined {
  if (++reader.depth > MAX_DEPTH) return undefined
  const entries = new Map<string, ConfigNode>()
  const start = reader.at
  for (let line = reader.lines[reader.at]; line; line = reader.lines[reader.at]) {
    const first = reader.at === start
    if (line.item && !first) {
      // An entry of a list that this mapping is in.
      if (line.dash < indent) break
      return undefined
    }
    if (line.indent < indent) break
    const [, plain, double, single, rest] = ENTRY.exec(line.body) ?? []
    const key = plain ?? double ?? single
    if (line.indent > indent || key === undefined) return undefined
    reader.at += 1
    const value = readValue(reader, rest ?? '', indent, line.number)
    if (!value) return undefined
    entries.set(key, value)
  }
  reader.depth -= 1
  return { kind: 'mapping', entries, place: { file: reader.file, line: number } }
}

/** What follows a key at `indent`: a scalar on its line, or a block below it, or nothing. */
function readValue(reader: Reader, rest: string, indent: number, number: number): ConfigNode | undefined {
  const next = reader.lines[reader.at]
  const nextColumn = next?.item ? next.dash : (next?.indent ?? -1)
  if (rest !== '' && !rest.startsWith('#')) {
    // A line further in would go on with the scalar.
    return nextColumn > indent ? undefined : readScalar(rest, reader.file, number)
  }
  if (next?.item && nextColumn >= indent) return readSequence(reader, nextColumn, number)
  if (nextColumn > indent) return readMapping(reader, nextColumn, number)
  return { kind: 'scalar', type: 'null', value: null, text: '', place: { file: reader.file, line: number } }
}

/** The list whose dashes stand at `column`. */
function readSequence(reader: Reader, column: number, number: number): SequenceNode | undefined {
  if (++reader.depth > MAX_DEPTH) return undefined
  const items: ConfigNode[] = []
  for (
    let line = reader.lines[reader.at];
    line?.item && line.dash === column;
    line = reader.lines[reader.at]
  ) {
    const item = readItem(reader, line, column)
    if (!item) return undefined
    items.push(item)
  }
  reader.depth -= 1
  return { kind: 'sequence', items, place: { file: reader.file, line: number } }
}

function readItem(reader: Reader, line: Line, column: number): ConfigNode | undefined {
  if (ENTRY.test(line.body)) return readMapping(reader, line.indent, line.number)
  reader.at += 1
  const next = reader.lines[reader.at]
  const continued = next !== undefined && (next.item ? next.dash : next.indent) > column
  return continued ? undefined : readScalar(line.body, reader.file, line.number)
}

// A plain scalar begins with a character that can begin nothing else, has no ": " or " #" and does not end in ":".
const SCALAR =
  /^(?:'([^']*)'|"([^"\\]*)"|((?:[A-Za-z0-9_./~$+]|-(?=[A-Za-z0-9.]))(?:[^\s:#]|:(?=\S)|#| +(?=[^\s#]))*?))(?: +#.*)?$/

function readScalar(written: string, file: string, number: number): ConfigNode | undefined {
  const place = { file, line: number }
  if (written === '{}') return { kind: 'mapping', entries: new Map(), place }
  if (written === '[]') return { kind: 'sequence', items: [], place }
  const [, single, double, plain] = SCALAR.exec(written) ?? []
  const quoted = single ?? double
  if (quoted !== undefined)
    return { kind: 'scalar', type: 'text', value: quoted, text: quoted, place } satisfies ScalarNode
  return plain === undefined
    ? undefined
    : { kind: 'scalar', ...resolvePlainScalar(plain), text: plain, place }
}
