import { isCollection, isList, type YamlValue } from '../../lib/edit/quote-yaml.js'
import type { ConfigNode } from '../node.js'

/**
 * What a file says, without how: a scalar as "type value", a list, a mapping in any order. Two of them tell whether an edit changed
 * what it should and nothing else.
 */
export type Tree = string | readonly Tree[] | ReadonlyMap<string, Tree>

export function treeOfNode(node: ConfigNode): Tree {
  if (node.kind === 'sequence') return node.items.map(treeOfNode)
  if (node.kind === 'mapping')
    return new Map([...node.entries].map(([key, each]) => [key, treeOfNode(each)] as const))
  return `${node.type} ${node.value}`
}

export function treeOfValue(value: YamlValue): Tree {
  if (isList(value)) return value.map(treeOfValue)
  if (isCollection(value))
    return new Map(Object.entries(value).map(([key, each]) => [key, treeOfValue(each)] as const))
  if (value === null) return 'null null'
  if (typeof value === 'string') return `text ${value}`
  if (typeof value === 'boolean') return `bool ${value}`
  return `${/^-?\d+$/.test(String(value)) ? 'int' : 'float'} ${value}`
}

/** The tree with the value at `path` put there or taken away; what is null on the way becomes a mapping. */
export function changeTree(tree: Tree, path: readonly string[], value: Tree | undefined): Tree {
  const [key, ...rest] = path
  if (key === undefined) return value ?? 'null null'
  const entries = new Map(tree instanceof Map ? tree : [])
  const below = entries.get(key)
  if (rest.length > 0) entries.set(key, changeTree(below ?? 'null null', rest, value))
  else if (value === undefined) entries.delete(key)
  else entries.set(key, value)
  return entries
}

export function sameTree(a: Tree, b: Tree): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  if (a instanceof Map || b instanceof Map) {
    if (!(a instanceof Map && b instanceof Map) || a.size !== b.size) return false
    return [...a].every(([key, each]) => {
      const other = b.get(key)
      return other !== undefined && sameTree(each, other)
    })
  }
  const [left, right] = [a as readonly Tree[], b as readonly Tree[]]
  return (
    left.length === right.length &&
    left.every((each, index) => {
      const other = right[index]
      return other !== undefined && sameTree(each, other)
    })
  )
}

/** A date, and a whole number beyond 2^53, as the text that is written. */
export function valueOfNode(node: ConfigNode): YamlValue {
  if (node.kind === 'sequence') return node.items.map(valueOfNode)
  if (node.kind === 'mapping')
    return Object.fromEntries([...node.entries].map(([key, each]) => [key, valueOfNode(each)]))
  return typeof node.value === 'bigint' ? node.text : node.value
}
