import { isCollection, isList, quoteYaml, renderYaml, type YamlValue } from '../../lib/edit/quote-yaml.js'
import type { Marker } from '../marker.js'

/** A new entry of a mapping (with a key) or of a list. */
export interface NewEntry {
  readonly marker: Marker
  readonly key: string | undefined
  /** A mapping is written key by key; null: nothing, to be filled; in brackets that is empty brackets. */
  readonly value: YamlValue
  /** What is to come into a value that is null. */
  readonly holds?: 'mapping' | 'list'
}

/** The entry on lines of its own. */
export function renderLines({ key, value }: NewEntry, column: number, step: number): string[] {
  const indent = ' '.repeat(column)
  if (key !== undefined) return renderPair(key, value, column, step)
  const [first = '', ...more] = pairsOf(value).flatMap(([name, each]) =>
    renderPair(name, each, column + 2, step),
  )
  return [`${indent}- ${first.trimStart()}`, ...more]
}

function renderPair(key: string, value: YamlValue, column: number, step: number): string[] {
  const name = `${' '.repeat(column)}${quoteYaml(key)}:`
  if (value === null) return [name]
  if (!isCollection(value) || isList(value)) return [`${name} ${renderYaml(value)}`]
  return [name, ...pairsOf(value).flatMap(([inner, each]) => renderPair(inner, each, column + step, step))]
}

function pairsOf(value: YamlValue): [string, YamlValue][] {
  return isCollection(value) && !isList(value) ? Object.entries(value) : []
}

/** The entry as it stands in brackets. */
export function renderFlow({ key, value, holds }: NewEntry): string {
  const written = value === null ? (holds === 'list' ? '[]' : '{}') : renderInFlow(value)
  return key === undefined ? written : `${renderInFlow(key)}: ${written}`
}

/** Lists around it make of a text what it is in brackets: more of them need quotes there. */
function renderInFlow(value: YamlValue): string {
  return isCollection(value) ? renderYaml(value) : renderYaml([value]).slice(1, -1)
}
