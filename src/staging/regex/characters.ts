import { sameLetters, sameRange } from './cases.js'
import type { RegexFlags, SetItem } from './nodes.js'

/**
 * What \d, \s, \w (str.isdecimal, str.isspace, str.isalnum and the underscore) and their opposites mean within a set. The
 * opposites are spelt out: sets within sets need RegExp's flag `v`, with which Node.js 20 matches wrongly.
 */
const UNICODE = {
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  s: '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000',
  S: '\\0-\\x08\\x0e-\\x1b!-\\x84\\x86-\\x9f\\xa1-\\u167f\\u1681-\\u1fff\\u200b-\\u2027\\u202a-\\u202e\\u2030-\\u205e\\u2060-\\u2fff\\u3001-\\u{10ffff}',
  w: '\\p{L}\\p{N}_',
  // With all of the underscore's own kind but itself.
  W: '\\p{M}\\p{S}\\p{Z}\\p{C}\\p{Pd}\\p{Ps}\\p{Pe}\\p{Pi}\\p{Pf}\\p{Po}\\u203f\\u2040\\u2054\\ufe33\\ufe34\\ufe4d-\\ufe4f\\uff3f',
} as const

const ASCII = {
  d: '0-9',
  D: '\\0-\\/:-\\u{10ffff}',
  s: '\\t-\\r\\x20',
  S: '\\0-\\x08\\x0e-\\x1f!-\\u{10ffff}',
  w: 'A-Za-z0-9_',
  W: '\\0-\\/:-@\\[-\\^\\x60\\{-\\u{10ffff}',
} as const

/** A character for RegExp's flag `u`. */
export function emitCharacter(code: number, flags: RegexFlags): string {
  const codes = flags.i ? sameLetters(code, flags.a) : [code]
  return codes.length === 1 ? codeEscape(code) : `[${codes.map(codeEscape).join('')}]`
}

/** A set for RegExp's flag `u`. */
export function emitSet(items: readonly SetItem[], negated: boolean, flags: RegexFlags): string {
  return `[${negated ? '^' : ''}${items.map((item) => emitItem(item, flags)).join('')}]`
}

/** The set of the characters words are made of. */
export function wordSet(flags: RegexFlags): string {
  return `[${categories(flags).w}]`
}

function emitItem(item: SetItem, flags: RegexFlags): string {
  if ('category' in item) return categories(flags)[item.category]
  const range =
    item.from === item.to ? codeEscape(item.from) : `${codeEscape(item.from)}-${codeEscape(item.to)}`
  return flags.i ? range + sameRange(item.from, item.to, flags.a).map(codeEscape).join('') : range
}

function categories(flags: RegexFlags): typeof UNICODE | typeof ASCII {
  return flags.a ? ASCII : UNICODE
}

function codeEscape(code: number): string {
  const isPlain = code < 0x80 && /[A-Za-z0-9_]/.test(String.fromCharCode(code))
  return isPlain ? String.fromCharCode(code) : `\\u{${code.toString(16)}}`
}
