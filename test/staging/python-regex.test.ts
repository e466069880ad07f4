import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compilePythonRegex, limitMatching, MAX_TEXT_LENGTH } from '../../src/staging/python-regex.js'
import { sameLetters, sameRange } from '../../src/staging/regex/cases.js'
import { emitSet } from '../../src/staging/regex/characters.js'
import { PythonRegexError } from '../../src/staging/regex/error.js'
import { NO_FLAGS, type RegexFlags } from '../../src/staging/regex/nodes.js'

interface Case {
  pattern: string
  texts: string[]
  /** What re.match found, see fixtures/make-tables.py. */
  matches?: boolean[]
  /** Why re.compile refused. */
  error?: string
}

type Ranges = [number, number][]

interface Characters {
  /** Code points that the Unicode of that Python knows; RegExp's may know more. */
  assigned: Ranges
  cases: number[][]
  d: Ranges
  s: Ranges
  w: Ranges
}

function readTable<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8'))
}

/** Constructs of which some uses cannot be translated: references, conditions, and where there is no way back. */
const RARE = /\\[1-9]|\(\?P=|\(\?>|[*+?}]\+/

function outcome({
  pattern,
  texts,
}: Case): { matches: boolean[] } | { error: string } | { unsupported: string } {
  try {
    const regex = compilePythonRegex(pattern)
    return { matches: texts.map((text) => regex.match(text)) }
  } catch (error) {
    if (!(error instanceof PythonRegexError)) throw error
    return error.reason === 'unsupported' ? { unsupported: error.message } : { error: error.message }
  }
}

describe("patterns as Python's re.match takes them", () => {
  const table = readTable<Case>('regex-table')

  it('match the same texts and are refused with the same words', () => {
    const wrong = table.flatMap((each) => {
      const found = outcome(each)
      if ('unsupported' in found && each.matches && RARE.test(each.pattern)) return []
      const wanted = each.matches ? { matches: each.matches } : { error: each.error }
      return JSON.stringify(found) === JSON.stringify(wanted) ? [] : [{ ...each, found }]
    })
    expect(wrong).toEqual([])
  })

  it('are translated but for a few', () => {
    const unsupported = table.filter((each) => 'unsupported' in outcome(each))
    expect(table.length).toBeGreaterThan(1000)
    expect(unsupported.length).toBeLessThan(table.length / 10)
  })
})

describe('what cannot be translated is said', () => {
  it.each([
    ['(a)?\\1', 'a reference to group 1, which does not take part in every match'],
    ['(?:(a)|b)*\\1', 'a reference to group 1'],
    ['(?:(a)|(?P<x>b))(?P=x)', 'a reference to group 2'],
    ['(?!(a))\\1', 'a reference to group 1'],
    ['(a?)+\\1', 'a reference to group 1'],
    ['(?i)(a)\\1', 'without regard to case'],
    ['(?>(?:|a)*)b', 'a repetition of something that can be empty'],
    ['(?:a?)*+b', 'a repetition of something that can be empty'],
    ['(<)?a(?(1)>|$)', 'a condition on a group'],
    ['\\N{EM DASH}', 'characters by name'],
  ])('%s', (pattern, message) => {
    expect(() => compilePythonRegex(pattern)).toThrowError(expect.objectContaining({ reason: 'unsupported' }))
    expect(() => compilePythonRegex(pattern)).toThrowError(message)
  })

  it('for patterns that are too deep or too long', () => {
    const nested = (depth: number): string => '('.repeat(depth) + ')'.repeat(depth)
    expect(compilePythonRegex(nested(150)).match('')).toBe(true)
    expect(() => compilePythonRegex(nested(300))).toThrowError('nested too deeply')
    expect(compilePythonRegex('a'.repeat(16_000)).match('a')).toBe(false)
    expect(() => compilePythonRegex('a'.repeat(17_000))).toThrowError('longer than 16384 characters')
  })

  it('but not that many groups refer to each other', () => {
    const chain = Array.from({ length: 300 }, (_, at) => `(?P<g${at + 1}>(?P=g${at})(?P=g${at}))`).join('')
    expect(compilePythonRegex(`(?P<g0>)${chain}(?<=x)`).match('')).toBe(false)
    const pairs = Array.from({ length: 500 }, (_, at) => `(?P<g${at}>a)(?P=g${at})`).join('')
    expect(compilePythonRegex(pairs).match('a'.repeat(1000))).toBe(true)
    expect(compilePythonRegex(pairs).match('a'.repeat(999))).toBe(false)
  })

  it('for a text that is longer than any name', () => {
    const regex = compilePythonRegex('a*$')
    expect(regex.match('a'.repeat(MAX_TEXT_LENGTH))).toBe(true)
    expect(() => regex.match('a'.repeat(MAX_TEXT_LENGTH + 1))).toThrowError('longer than 4096 characters')
  })
})

describe('matching that would not end', () => {
  it('is ended and named', () => {
    const regex = compilePythonRegex('(a+)+b')
    const text = 'a'.repeat(64)
    expect(() => limitMatching(() => regex.match(text), 50)).toThrowError(
      `matching "(a+)+b" with "${text}" took more than 0.05 s`,
    )
    expect(limitMatching(() => regex.match('aab'), 10_000)).toBe(true)
  })

  it('hands on results and errors of what it runs', () => {
    expect(limitMatching(() => 5, 10_000)).toBe(5)
    expect(() =>
      limitMatching(() => {
        throw new Error('mine')
      }, 10_000),
    ).toThrowError('mine')
  })
})

describe('characters as Python sees them', () => {
  const [characters] = readTable<Characters>('characters-table')
  const assigned = new Set(expand(characters?.assigned ?? []))

  it.each([
    ['d', 'D'],
    ['s', 'S'],
    ['w', 'W'],
  ] as const)('\\%s and \\%s', (category, opposite) => {
    const wanted = expand(characters?.[category] ?? [])
    expect(wanted.length).toBeGreaterThan(20)
    expect([...assigned].filter(isIn(category, NO_FLAGS))).toEqual(wanted)
    const all = expand([
      [0, 0xd7ff],
      [0xe000, 0x10ffff],
    ])
    for (const flags of [NO_FLAGS, { ...NO_FLAGS, a: true }]) {
      const isOne = isIn(category, flags)
      const isOther = isIn(opposite, flags)
      expect(all.filter((code) => isOne(code) === isOther(code))).toEqual([])
    }
  })

  it('that are ASCII', () => {
    const flags = { ...NO_FLAGS, a: true }
    const codes = expand([[0, 0x3ff]])
    const text = (category: 'd' | 's' | 'w'): string =>
      String.fromCodePoint(...codes.filter(isIn(category, flags)))
    expect(text('d')).toBe('0123456789')
    expect(text('s')).toBe('\t\n\v\f\r ')
    expect(text('w')).toBe('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz')
  })

  it('without regard to case', () => {
    const found = new Map<number, readonly number[]>()
    for (const code of assigned) {
      const same = sameLetters(code, false).filter((each) => assigned.has(each))
      if (same.length > 1 && same[0] === code) found.set(code, same)
    }
    expect(found.size).toBeGreaterThan(1000)
    const wanted = new Map(characters?.cases.map((codes) => [codes[0] ?? -1, codes]))
    expect(found).toEqual(new Map([...wanted].sort(([one], [other]) => one - other)))
  })

  it('in a range, without regard to case', () => {
    expect(sameRange(0x61, 0x7a, true)).toEqual(
      [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((letter) => letter.charCodeAt(0)),
    )
    expect([...sameRange(0x68, 0x6b, false)].sort((a, b) => a - b)).toEqual([
      0x48, 0x49, 0x4a, 0x4b, 0x130, 0x131, 0x212a,
    ])
  })
})

function isIn(category: 'd' | 'D' | 's' | 'S' | 'w' | 'W', flags: RegexFlags): (code: number) => boolean {
  const set = new RegExp(`^${emitSet([{ category }], false, flags)}$`, 'u')
  return (code) => set.test(String.fromCodePoint(code))
}

function expand(ranges: Ranges): number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, index) => from + index))
}
