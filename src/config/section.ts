import type { FeatureRequests } from './features.js'
import { asksForSomething } from './features.js'
import { type ConfigNode, describeNode, isNull } from './node.js'
import { findOption, type Option, type OptionTable, type OptionValue } from './option.js'
import type { Problems } from './problems.js'

export type Entries = ReadonlyMap<string, ConfigNode>

/** Reads the options of one table from one mapping. A wrong value becomes an issue, and the default is returned. */
export interface Section<T extends OptionTable> {
  /** The value, or the option's default when it is absent or null. */
  get<K extends keyof T & string>(key: K): OptionValue<T[K]>
  /** The value as it stands in the file; undefined when it is absent or null. */
  node(key: keyof T & string): ConfigNode | undefined
  /** The dotted name of a key, as messages have it. */
  nameOf(key: string): string
  readonly entries: Entries
}

/** @param prefix `managers.cluster.`, or empty at the top of the file. */
export function openSection<T extends OptionTable>(
  table: T,
  entries: Entries,
  prefix: string,
  problems: Problems,
): Section<T> {
  const nameOf = (key: string): string => `${prefix}${key}`
  return {
    entries,
    nameOf,
    get(key) {
      const option = table[key]
      const node = entries.get(key)
      const value = option && node ? readOption(option, node, nameOf(key), problems) : undefined
      // The table knows the type of each option; TypeScript cannot follow a key to its record.
      return (value === undefined ? option?.default : value) as OptionValue<T[typeof key]>
    },
    node(key) {
      const node = entries.get(key)
      return node === undefined || isNull(node) ? undefined : node
    },
  }
}

function readOption(option: Option, node: ConfigNode, name: string, problems: Problems): unknown {
  if (isNull(node) && option.type.nullable) return undefined
  const result = node.kind === 'scalar' ? option.type.schema().safeParse(inputOf(option, node)) : undefined
  if (!result?.success) {
    problems.error(
      node.place,
      name,
      `expected ${option.type.expected}, found ${describeNode(node, option.secret)}`,
    )
    return undefined
  }
  if (option.type.input === 'text' && node.kind === 'scalar' && node.type !== 'text') {
    const seen = node.type === 'bool' ? 'a yes-or-no value' : `a ${node.type === 'date' ? 'date' : 'number'}`
    problems.warn(
      node.place,
      `${name} is not in quotes, so the Python Pulsar reads it as ${seen}; it is used here as the text written. Put quotes around it`,
    )
  }
  const hint = option.secret || node.kind !== 'scalar' ? undefined : option.type.hint?.(inputOf(option, node))
  if (hint !== undefined) problems.warn(node.place, `${name} ${hint}`)
  return result.data
}

function inputOf(option: Option, node: ConfigNode & { kind: 'scalar' }): unknown {
  if (node.type === 'null') return null
  return option.type.input === 'text' ? (node.type === 'text' ? node.value : node.text) : node.value
}

/** Notes for every key of a section what is to be said about it: ignored, not in this release. Unknown keys are returned. */
export function reviewKeys(
  table: OptionTable,
  entries: Entries,
  prefix: string,
  problems: Problems,
  features: FeatureRequests,
): string[] {
  const unknown: string[] = []
  for (const [key, node] of entries) {
    const option = findOption(table, key)
    if (!option) unknown.push(key)
    else if (!asksForSomething(node)) continue
    else if (option.ignored) problems.warn(node.place, `${prefix}${key} has no effect: ${option.ignored}`)
    else if (option.notYet && !option.quiet) features.addKey(option.notYet, `${prefix}${key}`)
  }
  return unknown
}
