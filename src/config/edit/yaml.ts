import { isCollection, isList, type YamlValue } from '../../lib/edit/quote-yaml.js'
import { type EditPlace, refuseEdit } from '../../lib/edit/refuse.js'
import { lineNumber, spliceText } from '../../lib/edit/text-lines.js'
import type { ConfigNode } from '../node.js'
import { createProblems } from '../problems.js'
import { parseYaml } from '../yaml.js'
import { removal, setting } from './yaml-splices.js'
import { findTarget } from './yaml-target.js'
import { changeTree, sameTree, type Tree, treeOfNode, treeOfValue, valueOfNode } from './yaml-tree.js'

export interface YamlEdit {
  /** Keys of nested mappings: `['managers', 'cluster', 'type']`. */
  readonly path: readonly string[]
  /** undefined: take the key away. A mapping is written key by key, a list on one line. */
  readonly value: YamlValue | undefined
  /** A new key goes below this key of the same mapping; else to its end. */
  readonly after?: string
}

/**
 * Changes keys of a YAML file; everything else stays byte for byte. Missing mappings on the way are made; a mapping that loses its
 * last key becomes `{}`. A key that already has the value is left as it is written. The result is read again, as PyYAML would, and
 * compared with what was wanted.
 * @param file for messages only.
 * @throws MagnetarError EDIT_REFUSED when the file is no YAML, or written so that this cannot be done without risk.
 */
export function editYaml(text: string, edits: readonly YamlEdit[], file?: string): string {
  return edits.reduce((current, edit) => applyEdit(current, edit, file), text)
}

/**
 * The value at `path` as PyYAML reads it; undefined when there is none. Dates, and whole numbers beyond 2^53, come as their text.
 * @throws MagnetarError EDIT_REFUSED when the text is no YAML.
 */
export function readYamlValue(text: string, path: readonly string[], file?: string): YamlValue | undefined {
  let node: ConfigNode | undefined = readNode(text, file)
  for (const key of path) node = node?.kind === 'mapping' ? node.entries.get(key) : undefined
  return node && valueOfNode(node)
}

function applyEdit(text: string, edit: YamlEdit, file: string | undefined): string {
  const { path, value } = edit
  if (path.length === 0) throw refuseEdit({ file }, 'a file as a whole cannot be replaced key by key')
  const before = readTree(text, file)
  const now = treeAt(before, path)
  const wanted = value === undefined ? undefined : treeOfValue(value)
  if (wanted === undefined ? now === undefined : now !== undefined && sameTree(now, wanted)) return text
  if (value !== undefined && isCollection(value) && !isList(value) && Object.keys(value).length > 0)
    return setMapping(text, { ...edit, value }, now, file)
  const target = findTarget(text, path, file)
  const splices = value === undefined ? removal(text, target, file) : setting(text, target, value, edit.after)
  const after = spliceText(text, splices)
  const asWanted = changeTree(before, path, wanted)
  if (!sameTree(readResult(after, target.place), asWanted)) throw notAlone(path, target.place)
  return after
}

function setMapping(
  text: string,
  { path, value, after }: YamlEdit & { readonly value: Exclude<YamlValue, string | number | boolean | null> },
  now: Tree | undefined,
  file: string | undefined,
): string {
  const edits: YamlEdit[] = Object.entries(value).map(([key, each]) => ({
    path: [...path, key],
    value: each,
    ...(after === undefined || now !== undefined ? {} : { after }),
  }))
  if (now instanceof Map) {
    const unwanted = [...now.keys()].filter((key) => !Object.hasOwn(value, key))
    edits.push(...unwanted.map((key) => ({ path: [...path, key], value: undefined })))
  } else if (now !== undefined) edits.unshift({ path, value: {} })
  return editYaml(text, edits, file)
}

function treeAt(tree: Tree, path: readonly string[]): Tree | undefined {
  let current: Tree | undefined = tree
  for (const key of path) current = current instanceof Map ? current.get(key) : undefined
  return current
}

function readTree(text: string, file: string | undefined): Tree {
  const node = readNode(text, file)
  const tree = treeOfNode(node)
  // A file of comments only is a mapping without keys.
  return tree === 'null null' ? new Map() : tree
}

/** Line breaks of YAML 1.1 (and of old Macs) that the editor would take for characters of a line. */
const OTHER_LINE_BREAKS = /\r(?!\n)|[\x85\u2028\u2029]/

function readNode(text: string, file: string | undefined): ConfigNode {
  const at = text.search(OTHER_LINE_BREAKS)
  if (at !== -1)
    throw refuseEdit({ file, line: lineNumber(text, at) }, 'the line has an unusual line break in it')
  const problems = createProblems()
  const node = parseYaml(text, '', problems)
  if (node) return node
  const { line, message, fix } = problems.issues[0] ?? { message: 'this is not valid YAML' }
  throw refuseEdit({ file, line }, message, fix)
}

function readResult(text: string, place: EditPlace): Tree {
  try {
    return readTree(text, undefined)
  } catch {
    throw refuseEdit(place, 'the line cannot be changed without breaking the file')
  }
}

function notAlone(path: readonly string[], place: EditPlace): Error {
  return refuseEdit(
    place,
    `${path.join('.')} cannot be changed alone: an anchor, an alias, a tag or a merge key (<<) ties it to other values`,
  )
}
