import { PythonRegexError } from './error.js'
import type { RegexNode, SetItem } from './nodes.js'
import type { Source } from './source.js'

const OCTAL = '01234567'
export const DECIMAL = '0123456789'
const HEXADECIMAL = '0123456789abcdefABCDEF'
const MAX_CODE_POINT = 0x10ffff

const CONTROLS: Readonly<Record<string, number>> = {
  '\\a': 7,
  '\\b': 8,
  '\\f': 12,
  '\\n': 10,
  '\\r': 13,
  '\\t': 9,
  '\\v': 11,
  '\\\\': 92,
}

const PLACES: Readonly<Record<string, RegexNode>> = {
  '\\A': { kind: 'at', where: 'start' },
  '\\Z': { kind: 'at', where: 'end' },
  '\\b': { kind: 'at', where: 'boundary' },
  '\\B': { kind: 'at', where: 'no-boundary' },
}

const CATEGORIES: Readonly<Record<string, SetItem>> = {
  '\\d': { category: 'd' },
  '\\D': { category: 'D' },
  '\\s': { category: 's' },
  '\\S': { category: 'S' },
  '\\w': { category: 'w' },
  '\\W': { category: 'W' },
}

/**
 * An escape outside a set (re/_parser.py: _escape); the escape itself was taken already.
 * @param refer makes the reference to a group, or throws because there is none to refer to yet
 */
export function readEscape(source: Source, written: string, refer: (digits: string) => RegexNode): RegexNode {
  const place = PLACES[written]
  if (place) return place
  const category = CATEGORIES[written]
  if (category) return { kind: 'set', negated: false, items: [category] }
  const letter = written.slice(1)
  if (letter === '0') return literal(Number.parseInt(letter + source.takeWhile(2, OCTAL), 8))
  if (DECIMAL.includes(letter)) return readNumber(source, letter, refer)
  return literal(readCode(source, written))
}

/** An escape within a set (re/_parser.py: _class_escape). */
export function readSetEscape(source: Source, written: string): SetItem {
  const category = CATEGORIES[written]
  if (category) return category
  const letter = written.slice(1)
  if (!OCTAL.includes(letter)) return character(readCode(source, written))
  const digits = letter + source.takeWhile(2, OCTAL)
  return character(readOctal(source, digits))
}

function literal(code: number): RegexNode {
  return { kind: 'literal', code }
}

function character(code: number): SetItem {
  return { from: code, to: code }
}

/** Three octal digits are a character, anything else is the number of a group. */
function readNumber(source: Source, first: string, refer: (digits: string) => RegexNode): RegexNode {
  const digits = first + source.takeWhile(1, DECIMAL)
  const isOctal = digits.length === 2 && [...digits].every((digit) => OCTAL.includes(digit))
  if (isOctal && source.next !== undefined && OCTAL.includes(source.next)) {
    return literal(readOctal(source, digits + source.take()))
  }
  return refer(digits)
}

function readOctal(source: Source, digits: string): number {
  const code = Number.parseInt(digits, 8)
  if (code <= 0o377) return code
  throw source.error(`octal escape value \\${digits} outside of range 0-0o377`, digits.length + 1)
}

/** What is the same within and outside a set: control characters, hexadecimal ones, and punctuation that stands for itself. */
function readCode(source: Source, written: string): number {
  const control = CONTROLS[written]
  if (control !== undefined) return control
  const letter = written.slice(1)
  if (letter === 'x') return readHexadecimal(source, written, 2)
  if (letter === 'u') return readHexadecimal(source, written, 4)
  if (letter === 'U') return readHexadecimal(source, written, 8)
  if (letter === 'N') {
    throw new PythonRegexError(
      'unsupported',
      'characters by name (\\N{…}) are not supported; write \\u and its number',
    )
  }
  if (/^[A-Za-z0-9]$/.test(letter)) throw source.error(`bad escape ${written}`, 2)
  return letter.codePointAt(0) ?? 0
}

function readHexadecimal(source: Source, written: string, count: number): number {
  const digits = source.takeWhile(count, HEXADECIMAL)
  const whole = written + digits
  if (digits.length !== count) throw source.error(`incomplete escape ${whole}`, whole.length)
  const code = Number.parseInt(digits, 16)
  if (code > MAX_CODE_POINT) throw source.error(`bad escape ${whole}`, whole.length)
  return code
}
