import type { FlagChange } from './nodes.js'
import type { Source } from './source.js'

const FLAGS = 'iLmsxau'
/** Kinds of text: they exclude each other and cannot be switched off. */
const TEXT_FLAGS = 'auL'

export interface ReadFlags {
  /** `(?i)`, for the whole pattern, rather than `(?i:…)`. */
  readonly global: boolean
  readonly change: FlagChange
}

/**
 * Inline flags; `(?` and the first letter were taken already (re/_parser.py: _parse_flags).
 * @throws PythonRegexError
 */
export function readFlags(source: Source, first: string): ReadFlags {
  if (first !== '-' && !FLAGS.includes(first)) {
    throw source.error(`unknown extension ?${first}`, [...first].length + 1)
  }
  const added = first === '-' ? { letters: '', end: '-' } : readAdded(source, first)
  if (added.end === ')') return { global: true, change: { add: added.letters, remove: '' } }
  const remove = added.end === '-' ? readRemoved(source) : ''
  if ([...remove].some((letter) => added.letters.includes(letter))) {
    throw source.error('bad inline flags: flag turned on and off', 1)
  }
  return { global: false, change: { add: added.letters, remove } }
}

function readAdded(source: Source, first: string): { letters: string; end: string } {
  let letters = ''
  for (let letter = first; ; ) {
    if (letter === 'L') throw source.error("bad inline flags: cannot use 'L' flag with a str pattern")
    letters += letter
    if (letters.includes('a') && letters.includes('u')) {
      throw source.error("bad inline flags: flags 'a', 'u' and 'L' are incompatible")
    }
    const next = source.take()
    if (next === undefined) throw source.error('missing -, : or )')
    if (')-:'.includes(next)) return { letters, end: next }
    letter = checkFlag(source, next, 'missing -, : or )')
  }
}

function readRemoved(source: Source): string {
  const first = source.take()
  if (first === undefined) throw source.error('missing flag')
  let letters = ''
  for (let letter = checkFlag(source, first, 'missing flag'); ; ) {
    if (TEXT_FLAGS.includes(letter)) {
      throw source.error("bad inline flags: cannot turn off flags 'a', 'u' and 'L'")
    }
    letters += letter
    const next = source.take()
    if (next === undefined) throw source.error('missing :')
    if (next === ':') return letters
    letter = checkFlag(source, next, 'missing :')
  }
}

function checkFlag(source: Source, letter: string, otherwise: string): string {
  if (FLAGS.includes(letter)) return letter
  throw source.error(/^\p{L}+$/u.test(letter) ? 'unknown flag' : otherwise, [...letter].length)
}
