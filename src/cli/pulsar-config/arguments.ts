import { findNearest } from '../../config/nearest.js'
import type { Flag } from './options.js'

export type Parsed =
  | { readonly kind: 'values'; readonly values: ReadonlyMap<string, string | true> }
  | { readonly kind: 'help' }
  /** In the words of argparse. */
  | { readonly kind: 'error'; readonly message: string }

interface Word {
  readonly text: string
  /** undefined: no flag. `flag` undefined: none that there is. */
  readonly option?: { readonly flag: Flag | 'help' | undefined; readonly value: string | undefined }
}

class UsageError extends Error {}

/**
 * Reads a command line without positional arguments as Python 3.11's argparse does: `--flag value` and `--flag=value`, flags cut
 * short while only one can be meant, `-5` and `-a b` as values, the last of several wins. All words are looked at before the first takes
 * effect, so an ambiguous one is an error even after --help; an unknown one is only when all others are right.
 */
export function parseArguments(argv: readonly string[], flags: readonly Flag[]): Parsed {
  try {
    return consume(classify(argv, flags), flags)
  } catch (error) {
    if (error instanceof UsageError) return { kind: 'error', message: error.message }
    throw error
  }
}

/** argparse.py `_parse_optional`, for each word. */
function classify(argv: readonly string[], flags: readonly Flag[]): Word[] {
  const end = argv.indexOf('--')
  const options = end < 0 ? argv.length : end
  return argv.map((text, index) => {
    if (index === end) return { text, option: { flag: undefined, value: undefined } }
    if (index > options || !text.startsWith('-') || text === '-') return { text }
    return readOption(text, flags)
  })
}

function readOption(text: string, flags: readonly Flag[]): Word {
  if (/^-h/.test(text)) return { text, option: { flag: 'help', value: text.slice(2) || undefined } }
  const at = text.indexOf('=')
  const name = at < 0 ? text : text.slice(0, at)
  const value = at < 0 ? undefined : text.slice(at + 1)
  const found = text.startsWith('--') ? findFlags(name, flags) : []
  if (found.length > 1)
    throw new UsageError(`ambiguous option: ${name} could match ${found.map(nameOf).join(', ')}`)
  if (found[0]) return { text, option: { flag: found[0], value } }
  if (/^-(\d+|\d*\.\d+)$/.test(text) || text.includes(' ')) return { text }
  return { text, option: { flag: undefined, value } }
}

function findFlags(name: string, flags: readonly Flag[]): (Flag | 'help')[] {
  const all = ['help' as const, ...flags]
  const exact = all.find((flag) => nameOf(flag) === name)
  return exact ? [exact] : all.filter((flag) => nameOf(flag).startsWith(name))
}

function nameOf(flag: Flag | 'help'): string {
  return flag === 'help' ? '--help' : flag.name
}

/** argparse.py `_parse_known_args`: from left to right, so that --help takes effect before what is wrong behind it. */
function consume(words: readonly Word[], flags: readonly Flag[]): Parsed {
  const values = new Map<string, string | true>()
  const unknown: Word[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? { text: '' }
    if (!word.option?.flag) {
      unknown.push(word)
      continue
    }
    const { flag, value } = word.option
    if (flag === 'help') {
      if (value === undefined || (/^h+$/.test(value) && word.text.startsWith('-h'))) return { kind: 'help' }
      throw new UsageError(`argument -h/--help: ignored explicit argument '${value}'`)
    }
    if (flag.argument === undefined) {
      if (value !== undefined)
        throw new UsageError(`argument ${flag.name}: ignored explicit argument '${value}'`)
      values.set(flag.name, true)
      continue
    }
    const next = words[at + 1]
    if (value === undefined && (!next || next.option))
      throw new UsageError(`argument ${flag.name}: expected one argument`)
    if (value === undefined) at++
    values.set(flag.name, checkValue(flag, value ?? next?.text ?? ''))
  }
  if (unknown.length === 0) return { kind: 'values', values }
  return { kind: 'error', message: describeUnknown(unknown, flags) }
}

function checkValue(flag: Flag, value: string): string {
  const { name, choices, check } = flag
  if (choices && !choices.includes(value)) {
    const known = choices.map((choice) => `'${choice}'`).join(', ')
    throw new UsageError(`argument ${name}: invalid choice: '${value}' (choose from ${known})`)
  }
  const problem = check?.(value)
  if (problem !== undefined) throw new UsageError(`argument ${name}: ${problem}`)
  return value
}

/** argparse's words, and the flags that may be meant. What may be a token is left out: what is printed ends in logs. */
function describeUnknown(words: readonly Word[], flags: readonly Flag[]): string {
  const names = flags.map(({ name }) => name.slice(2))
  const shown: string[] = []
  const nearest: string[] = []
  let hideNext = false
  for (const { text, option } of words) {
    const name = option && /^--?([^=]+)/.exec(text)?.[1]
    const found = name === undefined ? undefined : findNearest(name, names)
    if (found !== undefined) nearest.push(`--${found}`)
    const isSecret = found?.endsWith('token') || /token/i.test(name ?? '')
    if (hideNext && !option) shown.push('***')
    else shown.push(isSecret ? text.replace(/=.*/s, '=***') : text)
    hideNext = isSecret && !text.includes('=')
  }
  const fix = nearest.length === 0 ? '' : `\n  Fix: is ${nearest.join(' ')} meant?`
  return `unrecognized arguments: ${shown.join(' ')}${fix}`
}
