import { isMap, type ParsedNode } from 'yaml'
import { type EditPlace, refuseEdit } from '../../lib/edit/refuse.js'
import { lineNumber } from '../../lib/edit/text-lines.js'
import { type Entry, listEntries, parseLayout, type Shape, shapeOf } from '../../lib/edit/yaml-layout.js'

/** Where an edit takes place: in the mapping of `entries`, at `entry` or, if that is not there, with new keys `missing`. */
export interface Target {
  readonly place: EditPlace
  readonly root: ParsedNode | null
  readonly entries: readonly Entry[]
  readonly entry: Entry | undefined
  readonly missing: readonly string[]
  /** The key whose value the mapping is; undefined at the top of the file. */
  readonly parent: Entry | undefined
}

/** Follows `path` down the block mappings of the file. @throws MagnetarError EDIT_REFUSED when it leads through anything else. */
export function findTarget(text: string, path: readonly string[], file: string | undefined): Target {
  const root = parseLayout(text)
  if (root !== null && (!isMap(root) || root.flow)) {
    const place = { file, line: lineNumber(text, root.range[0]) }
    throw refuseEdit(place, 'the file does not consist of lines "key: value"', 'write one key per line')
  }
  if (root === null && /^\.\.\./m.test(text))
    throw refuseEdit({ file }, 'the document ends ("...") before it has begun', 'remove the line "..."')
  let entries = root === null ? [] : listEntries(text, root)
  let parent: Entry | undefined
  let place: EditPlace = { file }
  for (const [index, name] of path.entries()) {
    const entry = findEntry(text, entries, name, file)
    if (entry) place = { file, line: lineNumber(text, entry.lineStart) }
    const missing = path.slice(index + 1)
    if (!entry) return { place, root, entries, entry, missing: path.slice(index), parent }
    if (missing.length === 0) return { place, root, entries, entry, missing, parent }
    const shape = shapeOf(text, entry)
    parent = entry
    entries = entriesBelow(text, entry, shape, place)
  }
  return { place, root, entries, entry: undefined, missing: [], parent }
}

function findEntry(
  text: string,
  entries: readonly Entry[],
  name: string,
  file: string | undefined,
): Entry | undefined {
  const [entry, second] = entries.filter((each) => each.name === name && !each.isMerge)
  if (second) {
    const line = lineNumber(text, second.lineStart)
    throw refuseEdit({ file, line }, `${name} is there twice`, 'remove one of the two lines')
  }
  if (entry?.isUnusual) {
    const line = lineNumber(text, entry.lineStart)
    throw refuseEdit({ file, line }, `${name} does not stand as "${name}:" at the beginning of its line`)
  }
  return entry
}

function entriesBelow(text: string, { name }: Entry, shape: Shape, place: EditPlace): Entry[] {
  if (shape.kind === 'block mapping') return listEntries(text, shape.map)
  if (isEmpty(shape) && !shape.mayHide) return []
  const what = {
    nothing: 'has an anchor or a tag',
    alias: 'is an alias (*name) for something elsewhere in the file',
    flow: 'is written in brackets',
    scalar: 'has a single value, no keys',
    'block scalar': 'has a single value, no keys',
    'block list': 'is a list',
  }[shape.kind]
  throw refuseEdit(
    place,
    `${name} ${what}`,
    `write the keys of ${name} on lines of their own below it, indented`,
  )
}

function isEmpty(shape: Shape): boolean {
  return shape.kind === 'nothing' || ('isEmpty' in shape && shape.isEmpty)
}
