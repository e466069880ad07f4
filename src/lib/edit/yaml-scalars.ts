/** Types of a scalar as Python's YAML 1.1 reader sees them; values of ini files and variables are always `text`. */
export type ScalarValue =
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'int'; readonly value: number | bigint }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'null'; readonly value: null }
  | { readonly type: 'date'; readonly value: string }

// The implicit resolvers of PyYAML (yaml/resolver.py), which are not quite those of the YAML 1.1 page: y and n are text,
// a float needs a dot and a signed exponent, 01:00:00 is text but 1:00:00 is 3600.
const BOOL = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/
const NULL = /^(?:~|null|Null|NULL|)$/
const INT =
  /^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/
const FLOAT =
  /^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/
const DATE =
  /^(?:\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)$/
const TRUE_WORDS = new Set(['yes', 'true', 'on'])

/** The value of an unquoted scalar, as yaml.safe_load reads it. */
export function resolvePlainScalar(text: string): ScalarValue {
  if (NULL.test(text)) return { type: 'null', value: null }
  if (BOOL.test(text)) return { type: 'bool', value: TRUE_WORDS.has(text.toLowerCase()) }
  if (INT.test(text)) return readInt(text)
  if (FLOAT.test(text)) return { type: 'float', value: readFloat(text) }
  if (DATE.test(text)) return { type: 'date', value: text }
  return { type: 'text', value: text }
}

// yaml/constructor.py: construct_yaml_int
function readInt(text: string): ScalarValue {
  const { sign, digits } = splitSign(text.replaceAll('_', ''))
  // `0x_` and the like match the pattern but are no number; Python fails on them.
  if (digits === '0x' || digits === '0b') return { type: 'text', value: text }
  const magnitude = readMagnitude(digits)
  const value = sign < 0 ? -magnitude : magnitude
  const asNumber = Number(value)
  return { type: 'int', value: Number.isSafeInteger(asNumber) ? asNumber : value }
}

function readMagnitude(digits: string): bigint {
  if (digits.includes(':')) return digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n)
  if (/^0[0-7]/.test(digits)) return BigInt(`0o${digits.slice(1)}`)
  return BigInt(digits)
}

// yaml/constructor.py: construct_yaml_float
function readFloat(text: string): number {
  const { sign, digits } = splitSign(text.replaceAll('_', '').toLowerCase())
  if (digits === '.inf') return sign * Number.POSITIVE_INFINITY
  if (digits === '.nan') return Number.NaN
  return sign * digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
}

function splitSign(text: string): { sign: 1 | -1; digits: string } {
  if (text.startsWith('-')) return { sign: -1, digits: text.slice(1) }
  return { sign: 1, digits: text.startsWith('+') ? text.slice(1) : text }
}
