import { LineCounter, parseDocument } from 'yaml'
import { refuseEdit } from '../../lib/edit/refuse.js'
import { lineNumber } from '../../lib/edit/text-lines.js'
import { describeYamlError } from '../../lib/edit/yaml-errors.js'
import { createRecent } from '../../lib/recent.js'
import type { JobConf } from '../job-conf.js'
import type { Marker } from '../marker.js'
import { listMarkedLines, type MarkedLine, markerAbove } from './comment.js'
import { type Dialect, dialectOf, isMapping } from './dialect.js'
import { type Collection, type Item, listItems } from './items.js'
import { locate } from './locate.js'

const MAX_ALIASES = 1000

export interface ReadYaml {
  readonly dialect: Dialect
  /** What the file says, as Galaxy's reader takes it. */
  readonly root: unknown
}

const known = createRecent<{ readonly root: unknown }>(8)

/** @throws MagnetarError EDIT_REFUSED when the text is no YAML, or no job configuration */
export function readRoot(text: string, file: string | undefined): ReadYaml {
  const { root } = known.get(text) ?? { root: readText(text, file) }
  known.set(text, { root })
  return { root, dialect: dialectOf(root, file) }
}

function readText(text: string, file: string | undefined): unknown {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    version: '1.1',
    // Pretty errors quote the file, and so a token in it.
    prettyErrors: false,
    logLevel: 'error',
    lineCounter: lines,
  })
  const [error] = document.errors
  if (error) {
    const { message, fix } = describeYamlError(error.code)
    throw refuseEdit({ file, line: lines.linePos(error.pos[0]).line }, message, fix)
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch {
    throw refuseEdit({ file }, 'an alias (*name) in it leads nowhere, or to too much')
  }
}

/** An entry of runners, destinations or tools: what it says and where it stands. */
export interface Entry {
  readonly id: string
  readonly item: Item
  /** What the entry is in. */
  readonly node: Collection
  readonly value: unknown
  readonly marked: MarkedLine | undefined
}

export function valueAt(root: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (isMapping(value) ? value[key] : undefined), root)
}

/** The entries at a path, a mapping or a list of mappings with ids. */
export function entriesAt(
  text: string,
  root: unknown,
  path: readonly string[],
  what: Marker['what'],
  file: string | undefined,
): Entry[] {
  const values = valueAt(root, path)
  const { value: node } = locate(text, path, file)
  if (!node) {
    if (values === undefined || values === null) return []
    throw refuseEdit({ file }, `${path.join('.')} has a single value where entries are expected`)
  }
  return listItems(text, node).flatMap((item, index) => {
    const value = Array.isArray(values) ? values[index] : valueAt(values, [item.key ?? ''])
    const id = item.key ?? (isMapping(value) ? String(value.id ?? '') : '')
    const marked = markerAbove(text, item.start)
    const isOurs = marked?.marker.what === what && marked.marker.id === id && isAlone(text, item)
    return [{ id, item, node, value, marked: isOurs ? marked : undefined }]
  })
}

/** In brackets several can stand on one line, and only the first of them below the comment. */
function isAlone(text: string, { start }: Item): boolean {
  const line = text.slice(text.lastIndexOf('\n', start - 1) + 1, start)
  return /^\s*(, ?)?$/.test(line)
}

const NO_PARAMS = new Set(['id', 'tags', 'runner', 'shell', 'env', 'resubmit', 'params'])

export function readYamlConf(text: string, file: string | undefined): JobConf {
  const { root, dialect } = readRoot(text, file)
  const entries = (path: readonly string[], what: Marker['what']): Entry[] =>
    entriesAt(text, root, path, what, file)
  const found = ({ id, item, marked }: Entry) => ({
    id,
    line: lineNumber(text, item.start),
    marker: marked?.marker,
  })
  const chosen = valueAt(root, dialect.default)
  return {
    runners: entries(dialect.runners, 'runner').map((entry) => ({
      ...found(entry),
      load: textAt(entry.value, 'load'),
    })),
    destinations: entries(dialect.destinations, 'destination').map((entry) => ({
      ...found(entry),
      runner: textAt(entry.value, 'runner'),
      params: paramsOf(entry.value),
    })),
    tools: entries(dialect.tools, 'tool').map((entry) => {
      const tool = isMapping(entry.value) ? entry.value : {}
      const destination = tool.environment ?? tool.destination
      return {
        ...found(entry),
        destination: destination === undefined || destination === null ? undefined : String(destination),
        isConditional: isMapping(tool.params) && Object.keys(tool.params).length > 0,
      }
    }),
    default: chosen === undefined || chosen === null ? undefined : String(chosen),
    sections: sectionsOf(text, root, file),
  }
}

function textAt(value: unknown, key: string): string {
  return String(valueAt(value, [key]) ?? '')
}

/** Galaxy takes keys for parameters where there is no `params` (JobConfiguration._configure_from_dict). */
function paramsOf(value: unknown): Map<string, string> {
  if (!isMapping(value)) return new Map()
  const own = isMapping(value.params)
    ? Object.entries(value.params)
    : Object.entries(value).filter(([name]) => !NO_PARAMS.has(name))
  return new Map(own.map(([name, each]) => [name, String(each ?? '')] as const))
}

function sectionsOf(text: string, root: unknown, file: string | undefined): JobConf['sections'] {
  const marked = listMarkedLines(text)
  return marked
    .filter(({ marker }) => marker.what === 'section')
    .flatMap(({ marker }) => {
      const path = marker.id.split('.')
      const { item } = locate(text, path, file)
      if (!item || markerAbove(text, item.start)?.marker.id !== marker.id) return []
      const value = valueAt(root, path)
      const isEmpty = value === null || (typeof value === 'object' && Object.keys(value).length === 0)
      const hasMarkers = marked.some(({ start }) => start > item.start && start < item.end)
      return [{ marker, isEmpty, hasMarkers }]
    })
}
