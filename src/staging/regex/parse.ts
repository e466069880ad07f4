import { PythonRegexError } from './error.js'
import { DECIMAL, readEscape } from './escapes.js'
import { readFlags } from './flags.js'
import {
  changeFlags,
  type FlagChange,
  MAX_REPEAT,
  NO_FLAGS,
  type RegexFlags,
  type RegexNode,
} from './nodes.js'
import { readSet } from './sets.js'
import { createSource, type Source } from './source.js'

const SPACES = ' \t\n\r\v\f'
/** Python's own stack ends a little later. */
const MAX_DEPTH = 400

export interface ParsedRegex {
  readonly root: RegexNode
  /** Flags of the whole pattern. */
  readonly flags: RegexFlags
  /** Bodies of the capturing groups by number. */
  readonly groups: ReadonlyMap<number, RegexNode>
}

interface Parser {
  readonly source: Source
  flags: RegexFlags
  /** Letters of the global flags as they are written. */
  globalLetters: string
  /** Groups that were begun, and those that were ended. */
  opened: number
  readonly closed: Map<number, RegexNode>
  readonly names: Map<string, number>
  /** Within a look-behind: number of its first own group. */
  behindFrom: number | undefined
}

/** Where the parser is: `first`: in the first alternative of the whole pattern, the place of global flags. */
interface Place {
  readonly verbose: boolean
  readonly depth: number
  readonly first: boolean
}

/**
 * Reads a pattern as Python 3.11's re does (re/_parser.py), with its mistakes and messages.
 * @throws PythonRegexError
 */
export function parseRegex(pattern: string): ParsedRegex {
  const parser: Parser = {
    source: createSource(pattern),
    flags: NO_FLAGS,
    globalLetters: '',
    opened: 0,
    closed: new Map(),
    names: new Map(),
    behindFrom: undefined,
  }
  const root = readAlternatives(parser, false, 0)
  if (parser.globalLetters.includes('a') && parser.globalLetters.includes('u')) {
    throw new PythonRegexError('invalid', 'ASCII and UNICODE flags are incompatible')
  }
  if (parser.source.next !== undefined) throw parser.source.error('unbalanced parenthesis')
  return { root, flags: parser.flags, groups: parser.closed }
}

function readAlternatives(parser: Parser, verboseAtStart: boolean, depth: number): RegexNode {
  if (depth > MAX_DEPTH) throw new PythonRegexError('unsupported', 'the pattern is nested too deeply')
  const options: RegexNode[] = []
  let verbose = verboseAtStart
  do {
    const first = depth === 0 && options.length === 0
    options.push({ kind: 'sequence', items: readSequence(parser, { verbose, depth: depth + 1, first }) })
    if (depth === 0) verbose = parser.flags.x
  } while (parser.source.accept('|'))
  const [only] = options
  return only && options.length === 1 ? only : { kind: 'branch', options }
}

function readSequence(parser: Parser, start: Place): RegexNode[] {
  const { source } = parser
  const items: RegexNode[] = []
  let place = start
  while (source.next !== undefined && source.next !== '|' && source.next !== ')') {
    const taken = source.take() ?? ''
    if (place.verbose && SPACES.includes(taken)) continue
    if (place.verbose && taken === '#') skipLine(source)
    else if (taken === '(') place = readParenthesis(parser, items, place)
    else if ('*+?{'.includes(taken)) readRepeat(source, items, taken)
    else items.push(readSingle(parser, taken))
  }
  return items
}

function skipLine(source: Source): void {
  let taken = source.take()
  while (taken !== undefined && taken !== '\n') taken = source.take()
}

function readSingle(parser: Parser, taken: string): RegexNode {
  if (taken.startsWith('\\')) {
    return readEscape(parser.source, taken, (digits) => referToNumber(parser, digits))
  }
  if (taken === '[') return readSet(parser.source)
  if (taken === '.') return { kind: 'any' }
  if (taken === '^' || taken === '$') return { kind: 'at', where: taken }
  return { kind: 'literal', code: taken.codePointAt(0) ?? 0 }
}

function referToNumber(parser: Parser, digits: string): RegexNode {
  const group = Number.parseInt(digits, 10)
  if (group > parser.opened) throw parser.source.error(`invalid group reference ${group}`, digits.length)
  return refer(parser, group, digits.length + 1)
}

function refer(parser: Parser, group: number, back: number): RegexNode {
  if (!parser.closed.has(group)) throw parser.source.error('cannot refer to an open group', back)
  if (parser.behindFrom !== undefined && group >= parser.behindFrom) {
    throw parser.source.error('cannot refer to group defined in the same lookbehind subpattern')
  }
  return { kind: 'reference', group }
}

function readRepeat(source: Source, items: RegexNode[], taken: string): void {
  const start = source.position()
  const limits = readLimits(source, taken)
  if (!limits) {
    items.push({ kind: 'literal', code: 0x7b })
    return
  }
  const back = source.position() - start + 1
  const body = items.pop()
  if (!body || body.kind === 'at') throw source.error('nothing to repeat', back)
  if (body.kind === 'repeat') throw source.error('multiple repeat', back)
  const mode = source.accept('?') ? 'lazy' : source.accept('+') ? 'possessive' : 'greedy'
  items.push({ kind: 'repeat', ...limits, mode, body })
}

/** undefined: a brace that stands for itself. */
function readLimits(source: Source, taken: string): { min: number; max: number } | undefined {
  if (taken === '?') return { min: 0, max: 1 }
  if (taken === '*') return { min: 0, max: MAX_REPEAT }
  if (taken === '+') return { min: 1, max: MAX_REPEAT }
  if (source.next === '}') return undefined
  const start = source.position()
  const low = source.takeWhile(Number.POSITIVE_INFINITY, DECIMAL)
  const high = source.accept(',') ? source.takeWhile(Number.POSITIVE_INFINITY, DECIMAL) : low
  if (!source.accept('}')) {
    source.moveTo(start)
    return undefined
  }
  const min = low === '' ? 0 : Number(low)
  const max = high === '' ? MAX_REPEAT : Number(high)
  if (min >= MAX_REPEAT || (high !== '' && max >= MAX_REPEAT)) {
    throw new PythonRegexError('invalid', 'the repetition number is too large')
  }
  if (max < min) throw source.error('min repeat greater than max repeat', source.position() - start)
  return { min, max }
}

/** What an opening parenthesis begins. Global flags change how the rest is read: hence the answer. */
function readParenthesis(parser: Parser, items: RegexNode[], place: Place): Place {
  const { source } = parser
  const start = source.position() - 1
  if (!source.accept('?')) {
    items.push(readCapture(parser, place, start))
    return place
  }
  const letter = source.take()
  if (letter === undefined) throw source.error('unexpected end of pattern')
  if (letter === 'P') items.push(readNamed(parser, place, start))
  else if (letter === '#') skipComment(source, start)
  else if (letter === ':') items.push({ kind: 'group', body: readBody(parser, place, start) })
  else if (letter === '>') items.push({ kind: 'atomic', body: readBody(parser, place, start) })
  else if ('=!<'.includes(letter)) items.push(readLook(parser, letter, place, start))
  else if (letter === '(') {
    throw new PythonRegexError('unsupported', 'a condition on a group, (?(…)…|…), is not supported')
  } else return readFlagGroup(parser, letter, items, place, start)
  return place
}

function readBody(parser: Parser, place: Place, start: number, verbose = place.verbose): RegexNode {
  const body = readAlternatives(parser, verbose, place.depth + 1)
  if (!parser.source.accept(')')) {
    throw parser.source.error('missing ), unterminated subpattern', parser.source.position() - start)
  }
  return body
}

function readCapture(parser: Parser, place: Place, start: number): RegexNode {
  parser.opened++
  const index = parser.opened
  const body = readBody(parser, place, start)
  parser.closed.set(index, body)
  return { kind: 'group', index, body }
}

function readNamed(parser: Parser, place: Place, start: number): RegexNode {
  const { source } = parser
  if (source.accept('<')) {
    const name = readName(source, '>')
    const other = parser.names.get(name)
    const index = parser.opened + 1
    if (other !== undefined) {
      const message = `redefinition of group name '${name}' as group ${index}; was group ${other}`
      throw source.error(message, [...name].length + 1)
    }
    parser.names.set(name, index)
    return readCapture(parser, place, start)
  }
  if (source.accept('=')) {
    const name = readName(source, ')')
    const group = parser.names.get(name)
    const back = [...name].length + 1
    if (group === undefined) throw source.error(`unknown group name '${name}'`, back)
    return refer(parser, group, back)
  }
  const letter = source.take()
  if (letter === undefined) throw source.error('unexpected end of pattern')
  throw source.error(`unknown extension ?P${letter}`, [...letter].length + 2)
}

function readName(source: Source, terminator: string): string {
  const name = source.takeUntil(terminator, 'group name')
  if (/^[\p{XID_Start}_]\p{XID_Continue}*$/u.test(name)) return name
  throw source.error(`bad character in group name '${name.replaceAll('\\', '\\\\')}'`, [...name].length + 1)
}

function skipComment(source: Source, start: number): void {
  do {
    if (source.next === undefined) {
      throw source.error('missing ), unterminated comment', source.position() - start)
    }
  } while (source.take() !== ')')
}

function readLook(parser: Parser, letter: string, place: Place, start: number): RegexNode {
  const { source } = parser
  const behind = letter === '<'
  const kind = behind ? source.take() : letter
  if (kind === undefined) throw source.error('unexpected end of pattern')
  if (kind !== '=' && kind !== '!') throw source.error(`unknown extension ?<${kind}`, [...kind].length + 2)
  const outer = parser.behindFrom
  if (behind) parser.behindFrom = outer ?? parser.opened + 1
  const body = readAlternatives(parser, place.verbose, place.depth + 1)
  parser.behindFrom = outer
  if (!source.accept(')')) {
    throw source.error('missing ), unterminated subpattern', source.position() - start)
  }
  return { kind: 'look', behind, negated: kind === '!', body }
}

function readFlagGroup(
  parser: Parser,
  letter: string,
  items: RegexNode[],
  place: Place,
  start: number,
): Place {
  const { source } = parser
  const read = readFlags(source, letter)
  if (read.global) {
    if (!place.first || items.length > 0) {
      throw source.error('global flags not at the start of the expression', source.position() - start)
    }
    parser.flags = changeFlags(parser.flags, read.change)
    parser.globalLetters += read.change.add
    return { ...place, verbose: parser.flags.x }
  }
  const change: FlagChange = read.change
  const { x: verbose } = changeFlags({ ...NO_FLAGS, x: place.verbose }, change)
  items.push({ kind: 'group', change, body: readBody(parser, place, start, verbose) })
  return place
}
