import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseIni, readIniSection } from '../../src/config/ini.js'
import { createProblems } from '../../src/config/problems.js'

type PythonValue = string | { error: string }

interface Case {
  text: string
  /** What configparser returned, see fixtures/make-tables.py. */
  python: { error: string } | Record<string, Record<string, PythonValue>>
}

const TABLE: Case[] = JSON.parse(readFileSync(new URL('fixtures/ini-table.json', import.meta.url), 'utf8'))
const VARIABLES = { here: '/etc/p', __file__: '/etc/p/server.ini' }

describe('ini files as configparser reads them', () => {
  it.each(TABLE.map((each) => [JSON.stringify(each.text), each] as const))('%s', (_name, {
    text,
    python,
  }) => {
    expect(readAll(text)).toEqual(isError(python) ? 'error' : markErrors(python))
  })

  it('reports the line of every mistake at once, and no text of the lines', () => {
    const problems = createProblems()
    parseIni('[a]\nsecret-line\nk = 1\nk = 2\n[a]\n', 'server.ini', problems)
    expect(problems.issues.map((issue) => [issue.line, issue.key])).toEqual([
      [2, ''],
      [4, 'k'],
      [5, '[a]'],
    ])
    expect(JSON.stringify(problems.issues)).not.toContain('secret-line')
  })

  it('gives continued values the line they begin in', () => {
    const problems = createProblems()
    const ini = parseIni('[a]\n# comment\nk = one\n  two\nl = three\n', 'server.ini', problems)
    expect(ini.sections.get('a')).toEqual(
      new Map([
        ['k', { text: 'one\ntwo', line: 3 }],
        ['l', { text: 'three', line: 5 }],
      ]),
    )
  })
})

function readAll(text: string): unknown {
  const problems = createProblems()
  const ini = parseIni(text, 'server.ini', problems)
  if (problems.issues.length > 0) return 'error'
  const sections: Record<string, Record<string, string>> = {}
  for (const name of ini.sections.keys()) {
    const values = createProblems()
    const read = readIniSection(ini, name, VARIABLES, values) ?? new Map()
    sections[name] = Object.fromEntries([...read].map(([key, { text: value }]) => [key, value]))
    for (const issue of values.issues) Object.assign(sections[name] ?? {}, { [issue.key]: 'error' })
  }
  return sections
}

function isError(python: Case['python']): python is { error: string } {
  return typeof python.error === 'string'
}

function markErrors(python: Exclude<Case['python'], { error: string }>): unknown {
  return Object.fromEntries(
    Object.entries(python).map(([section, values]) => [
      section,
      Object.fromEntries(
        Object.entries(values).map(([key, value]) => [key, typeof value === 'string' ? value : 'error']),
      ),
    ]),
  )
}
