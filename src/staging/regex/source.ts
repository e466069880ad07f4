import { PythonRegexError } from './error.js'

/** The pattern as a row of characters, each escape (`\` and what follows) in one piece (re/_parser.py: Tokenizer). */
export interface Source {
  /** The character or escape that is taken next; undefined at the end. */
  readonly next: string | undefined
  take(): string | undefined
  /** Takes `wanted` when it is next. */
  accept(wanted: string): boolean
  /** Takes at most `count` characters that are among `wanted`. */
  takeWhile(count: number, wanted: string): string
  /** Takes all before `terminator`, and the terminator. @throws PythonRegexError when it is missing or nothing is before it */
  takeUntil(terminator: string, what: string): string
  /** Position of the next character, in code points as Python counts. */
  position(): number
  moveTo(position: number): void
  /** What Python says of a mistake that lies `back` characters before the next one. */
  error(message: string, back?: number): PythonRegexError
}

/** @throws PythonRegexError for a backslash at the end, as soon as it is next */
export function createSource(pattern: string): Source {
  const characters = [...pattern]
  let index = 0
  let next: string | undefined

  function advance(): void {
    const character = characters[index]
    if (character === undefined) {
      next = undefined
      return
    }
    index++
    next = character
    if (character !== '\\') return
    const escaped = characters[index]
    if (escaped === undefined) throw invalid('bad escape (end of pattern)', characters.length - 1)
    index++
    next += escaped
  }

  function position(): number {
    return index - (next === undefined ? 0 : [...next].length)
  }

  function error(message: string, back = 0): PythonRegexError {
    return invalid(message, position() - back)
  }

  function take(): string | undefined {
    const taken = next
    advance()
    return taken
  }

  advance()
  return {
    get next() {
      return next
    },
    take,
    accept(wanted) {
      if (next !== wanted) return false
      advance()
      return true
    },
    takeWhile(count, wanted) {
      let taken = ''
      while (taken.length < count && next !== undefined && wanted.includes(next)) taken += take()
      return taken
    },
    takeUntil(terminator, what) {
      let taken = ''
      for (let each = take(); each !== terminator; each = take()) {
        if (each === undefined) {
          if (taken === '') throw error(`missing ${what}`)
          throw error(`missing ${terminator}, unterminated name`, [...taken].length)
        }
        taken += each
      }
      if (taken === '') throw error(`missing ${what}`, 1)
      return taken
    },
    position,
    moveTo(to) {
      index = to
      advance()
    },
    error,
  }
}

function invalid(message: string, position: number): PythonRegexError {
  return new PythonRegexError('invalid', `${message} at position ${position}`)
}
