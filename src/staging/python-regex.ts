import vm from 'node:vm'
import { messageOf } from '../lib/errors.js'
import { emitRegex } from './regex/emit.js'
import { PythonRegexError } from './regex/error.js'
import { checkFaithful } from './regex/faithful.js'
import { parseRegex } from './regex/parse.js'
import { checkLookBehinds, createWidthOf } from './regex/width.js'

/** Longest text that is matched: no path of a file is longer (PATH_MAX). */
export const MAX_TEXT_LENGTH = 4096
const MAX_PATTERN_LENGTH = 16_384

/** A regular expression of Python (str patterns, as in 3.11), without its groups: what is collected depends on the match alone. */
export interface PythonRegex {
  readonly pattern: string
  /** Whether `re.match` finds something: at the beginning of the text, not necessarily up to its end. */
  match(text: string): boolean
}

/** What is being matched, for the message when it takes too long. */
let trying: { readonly pattern: string; readonly text: string } | undefined

/**
 * Translates a regular expression of Python to a RegExp that matches the same texts. Where that is not possible (conditions,
 * references to groups that may not take part, characters by name) it says so instead of matching something else.
 * @throws PythonRegexError
 */
export function compilePythonRegex(pattern: string): PythonRegex {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new PythonRegexError('unsupported', `it is longer than ${MAX_PATTERN_LENGTH} characters`)
  }
  const regexp = translate(pattern)
  return {
    pattern,
    match(text) {
      if (text.length > MAX_TEXT_LENGTH) {
        throw new PythonRegexError('unsupported', `a name is longer than ${MAX_TEXT_LENGTH} characters`)
      }
      trying = { pattern, text }
      const found = regexp.test(text)
      trying = undefined
      return found
    },
  }
}

function translate(pattern: string): RegExp {
  const parsed = parseRegex(pattern)
  const widthOf = createWidthOf(parsed.groups)
  checkLookBehinds(parsed.root, widthOf)
  checkFaithful(parsed, widthOf)
  try {
    const regexp = new RegExp(emitRegex(parsed), 'u')
    // RegExp is compiled when it is first used, and may refuse only then.
    regexp.test('')
    return regexp
  } catch (error) {
    throw new PythonRegexError('unsupported', `it cannot be translated: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const context: { run: () => void } = { run: () => {} }
let script: { readonly compiled: vm.Script; readonly context: vm.Context } | undefined

/**
 * Runs something that matches, and ends it when it takes too long: a pattern like `(a+)+b` can keep RegExp, and with it the
 * whole node, busy for ever. Costs 0.1 ms, so it belongs around many matches rather than around each; not one within another.
 * @throws PythonRegexError that names the pattern and the text
 */
export function limitMatching<T>(run: () => T, limitMs: number): T {
  script ??= { compiled: new vm.Script('run()'), context: vm.createContext(context) }
  let result: { readonly value: T } | undefined
  context.run = () => {
    result = { value: run() }
  }
  trying = undefined
  try {
    // A RegExp can be interrupted only this way.
    script.compiled.runInContext(script.context, { timeout: limitMs })
  } catch (error) {
    if (!isTimeout(error)) throw error
    throw tooSlow(limitMs)
  } finally {
    context.run = () => {}
  }
  if (!result) throw new Error('the matching ended without a result')
  return result.value
}

/** The error is of the script's own world, where `Error` is another. */
function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  )
}

function tooSlow(limitMs: number): PythonRegexError {
  const what = trying
    ? `matching ${JSON.stringify(trying.pattern)} with ${JSON.stringify(trying.text.slice(0, 200))}`
    : 'matching the names'
  return new PythonRegexError('unsupported', `${what} took more than ${limitMs / 1000} s`)
}
