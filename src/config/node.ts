import type { ScalarValue } from '../lib/edit/yaml-scalars.js'
import type { Place } from './problems.js'

/** A scalar with its place and the characters that stand in the file: `0750`, `yes`, `1:00:00`. */
export type ScalarNode = ScalarValue & {
  readonly kind: 'scalar'
  readonly text: string
  readonly place: Place
}

export interface MappingNode {
  readonly kind: 'mapping'
  /** In file order; keys as written. */
  readonly entries: ReadonlyMap<string, ConfigNode>
  readonly place: Place
}

export interface SequenceNode {
  readonly kind: 'sequence'
  readonly items: readonly ConfigNode[]
  readonly place: Place
}

/** A value of any configuration source. The place of a mapping's value is that of its key. */
export type ConfigNode = ScalarNode | MappingNode | SequenceNode

/** A text from an ini file, a variable or an argument. */
export function textNode(text: string, place: Place): ScalarNode {
  return { kind: 'scalar', type: 'text', value: text, text, place }
}

export function isNull(node: ConfigNode): boolean {
  return node.kind === 'scalar' && node.type === 'null'
}

const SHOWN_CHARACTERS = 60

/** "the text \"abc\"", "the number 488 (written 0750)", "a list"; without the value when it is secret. */
export function describeNode(node: ConfigNode, secret = false): string {
  if (node.kind === 'mapping') return 'a mapping'
  if (node.kind === 'sequence') return 'a list'
  if (node.type === 'null') return 'nothing (null)'
  const noun = { text: 'text', int: 'number', float: 'number', bool: 'yes-or-no value', date: 'date' }[
    node.type
  ]
  if (secret) return `a ${noun}`
  if (node.type === 'text') return `the text ${JSON.stringify(shorten(node.value))}`
  const value = String(node.value)
  return value === node.text ? `the ${noun} ${value}` : `the ${noun} ${value} (written ${shorten(node.text)})`
}

function shorten(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}

/**
 * What `str(value)` gives in Python, which is what the real server puts into scripts: `yes` becomes True, `010` becomes 8. But 1.50 stays
 * as it is written, and nothing is no text.
 */
export function pythonText(node: ScalarNode): string {
  if (node.type === 'null') return ''
  if (node.type === 'bool') return node.value ? 'True' : 'False'
  if (node.type === 'int') return String(node.value)
  return node.text
}
