import { isAlias, type ParsedNode } from 'yaml'
import { type EditPlace, refuseEdit } from '../../lib/edit/refuse.js'
import { lineNumber } from '../../lib/edit/text-lines.js'
import { shapeOf } from '../../lib/edit/yaml-layout.js'
import { type Collection, type Item, isCollectionNode, isFlow, listItems } from './items.js'
import { parseOnce } from './parse.js'

/** Where a path of keys leads. */
export interface Located {
  /** The innermost mapping on the way that is there; undefined: the file is empty. */
  readonly parent: Collection | undefined
  /** The key whose value `parent` is; undefined at the top. */
  readonly parentItem: Item | undefined
  /** Keys that are not there. */
  readonly missing: readonly string[]
  /** The entry at the end of the path. */
  readonly item: Item | undefined
  /** What that is. */
  readonly value: Collection | undefined
}

/** Follows keys down the mappings of a file. @throws MagnetarError EDIT_REFUSED where it goes through something else */
export function locate(text: string, path: readonly string[], file: string | undefined): Located {
  const root = parseOnce(text)
  if (root === null)
    return { parent: undefined, parentItem: undefined, missing: path, item: undefined, value: undefined }
  let parent = expectCollection(root, { file }, 'the file')
  let parentItem: Item | undefined
  for (const [index, key] of path.entries()) {
    const item = listItems(text, parent).find((each) => each.key === key)
    if (!item) return { parent, parentItem, missing: path.slice(index), item: undefined, value: undefined }
    const place = { file, line: lineNumber(text, item.start) }
    if (item.isUnusual && !isFlow(parent))
      throw refuseEdit(place, `${key} does not stand as "${key}:" at the beginning of its line`)
    const { value } = item
    if (isAlias(value))
      throw refuseEdit(place, `${key} is an alias (*name) for something elsewhere in the file`, WRITE_OUT)
    const isLast = index === path.length - 1
    const inner = isCollectionNode(value) ? value : undefined
    if (isLast || !inner) {
      const shape = shapeOf(text, item)
      if (!isLast && shape.kind !== 'nothing' && !('isEmpty' in shape && shape.isEmpty))
        throw refuseEdit(place, `${key} has a single value, no keys`)
      // Nothing below the key yet: what is missing comes there.
      return { parent, parentItem, missing: path.slice(index + 1), item, value: inner }
    }
    parent = inner
    parentItem = item
  }
  return { parent, parentItem, missing: [], item: parentItem, value: parent }
}

const WRITE_OUT = 'write it out in its place'

function expectCollection(node: ParsedNode, place: EditPlace, what: string): Collection {
  if (isCollectionNode(node)) return node
  throw refuseEdit(place, `${what} does not consist of keys`)
}
