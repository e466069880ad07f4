import { resolvePlainScalar } from './yaml-scalars.js'

/** What editing writes and reads: the values of YAML 1.1 as PyYAML knows them. */
export type YamlScalar = string | number | boolean | null
export type YamlValue = YamlScalar | readonly YamlValue[] | { readonly [key: string]: YamlValue }

// A plain scalar begins with no indicator, has no ": " and no " #", and does not end in ":" or a blank.
const PLAIN = /^(?:[^\s\-?:,[\]{}#&*!|>'"%@`]|[-?:](?=[^\s,[\]{}]))(?:[^: ]|:(?=[^ ])| +(?=[^ #]))*$/
/** Would end the document at the beginning of a line. */
const DOCUMENT_MARKER = /^(?:---|\.\.\.)/
/** Control and format characters, separators other than the blank, and halves of surrogate pairs. */
const INVISIBLE = /\p{C}|(?! )\p{Z}/gu

// Numbers of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/ 10.3.2) that PyYAML takes for text (1e3, 08, 0o17), and what the
// vague pattern of the YAML 1.1 page lets other readers take for numbers (e3, a lone dot or underscore).
const OTHER_NUMBER = /^(?:[-+]?[\d_]*(?:\.[\d_]*)?(?:[eE][-+]?\d+)?|0o[0-7]+)$/
/** Booleans of the YAML 1.1 page that PyYAML does not have, its "default value", its merge key, and numbers it fails on. */
const TROUBLE = /^(?:[yYnN]|=|<<|[-+]?0[bx]_+)$/
const FLOW_PLAIN = /^[\w./~$+-]+$/

/**
 * Text as it can stand after a key: plain where readers of YAML 1.1 and 1.2 take it for this very text, else in double quotes, on
 * one line.
 */
export function quoteYaml(text: string): string {
  return isPlain(text) ? text : doubleQuoted(text)
}

/** The same in the quotes that stand in the file now, where they can hold it. */
export function quoteYamlAs(text: string, quotes: "'" | '"' | ''): string {
  if (quotes === '') return quoteYaml(text)
  if (quotes === '"' || text.search(INVISIBLE) !== -1) return doubleQuoted(text)
  return `'${text.replaceAll("'", "''")}'`
}

/** A value on one line: scalars, and lists and mappings in brackets. */
export function renderYaml(value: YamlValue): string {
  if (typeof value === 'string') return quoteYaml(value)
  return isCollection(value) ? renderFlow(value) : renderScalar(value)
}

function renderFlow(value: YamlValue): string {
  if (typeof value === 'string') return FLOW_PLAIN.test(value) ? quoteYaml(value) : doubleQuoted(value)
  if (isList(value)) return `[${value.map(renderFlow).join(', ')}]`
  if (!isCollection(value)) return renderScalar(value)
  return `{${Object.entries(value)
    .map(([key, each]) => `${renderFlow(key)}: ${renderFlow(each)}`)
    .join(', ')}}`
}

function renderScalar(value: number | boolean | null): string {
  if (typeof value !== 'number') return String(value)
  if (Number.isNaN(value)) return '.nan'
  if (!Number.isFinite(value)) return value < 0 ? '-.inf' : '.inf'
  // PyYAML takes 1e-7 for text: its floats have a dot.
  return String(value).replace(/^(-?\d+)e/, '$1.0e')
}

function isPlain(text: string): boolean {
  return (
    PLAIN.test(text) &&
    !DOCUMENT_MARKER.test(text) &&
    text.search(INVISIBLE) === -1 &&
    resolvePlainScalar(text).type === 'text' &&
    !OTHER_NUMBER.test(text) &&
    !TROUBLE.test(text)
  )
}

function doubleQuoted(text: string): string {
  // JSON's escapes are YAML's too; what it leaves as it is can still be unprintable or a line break for YAML.
  return JSON.stringify(text).replace(INVISIBLE, (character) => {
    const code = character.codePointAt(0) ?? 0
    const hex = code.toString(16)
    return code > 0xffff ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
  })
}

/** Lists and mappings. */
export function isCollection(value: YamlValue): value is Exclude<YamlValue, YamlScalar> {
  return typeof value === 'object' && value !== null
}

export function isList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value)
}
