import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ConfigNode } from '../../src/config/node.js'
import { createProblems } from '../../src/config/problems.js'
import { parseYaml } from '../../src/config/yaml.js'

interface Case {
  text: string
  /** What yaml.safe_load returned, see fixtures/make-tables.py. */
  python: unknown
}

const TABLE: Case[] = JSON.parse(readFileSync(new URL('fixtures/yaml-table.json', import.meta.url), 'utf8'))

// PyYAML has no value for a lone "=" and refuses a year 0; nobody writes either, and reading them as text hurts no one.
describe('YAML as PyYAML reads it', () => {
  it.each(TABLE.map((each) => [JSON.stringify(each.text), each] as const))('%s', (_name, {
    text,
    python,
  }) => {
    const problems = createProblems()
    const node = parseYaml(text, 'app.yml', problems)
    const read = node === undefined || problems.issues.length > 0 ? 'error' : describeAsTable(node)
    expect(read).toEqual(normalise(python))
  })
})

function describeAsTable(node: ConfigNode): unknown {
  if (node.kind === 'mapping')
    return { map: [...node.entries].map(([key, each]) => [key, describeAsTable(each)]) }
  if (node.kind === 'sequence') return { seq: node.items.map(describeAsTable) }
  if (node.type === 'null' || node.type === 'date') return [node.type]
  if (node.type === 'float') return ['float', node.value]
  if (node.type === 'bool') return ['bool', node.value ? 'True' : 'False']
  return [node.type, String(node.value)]
}

/** Floats as numbers; everything else as in the table. */
function normalise(python: unknown): unknown {
  if (Array.isArray(python)) {
    if (python[0] === 'float') return ['float', pythonFloat(String(python[1]))]
    return python.map(normalise)
  }
  if (python !== null && typeof python === 'object') {
    return Object.fromEntries(Object.entries(python).map(([key, each]) => [key, normalise(each)]))
  }
  return python
}

function pythonFloat(text: string): number {
  return Number(text.replace('inf', 'Infinity').replace('nan', 'NaN'))
}

describe('YAML that cannot be read', () => {
  it('gives line and reason of every mistake', () => {
    const problems = createProblems()
    expect(parseYaml('a: "1\nb: 2\n', 'app.yml', problems)).toBeUndefined()
    expect(problems.issues[0]).toMatchObject({
      file: 'app.yml',
      message: expect.stringContaining('closing quote'),
    })
  })

  it.each([
    ['a: 1\nb: *c\n', 2, 'begins with "*"'],
    ['a: 1\n\nb: c: d\n', 3, 'two ": " on one line'],
    ['a:\n\tb: 1\n', 2, 'tab'],
    ['a: 1\n---\nb: 2\n', 2, 'more than one YAML document'],
    ['a: @b\n', 1, 'a character that YAML reserves'],
    ['a: &a\n  b: *a\n', 2, 'contains it'],
    ['a: !b c\n', 1, 'has a tag'],
  ])('%j', (text, line, message) => {
    const problems = createProblems()
    expect(parseYaml(text, 'app.yml', problems)).toBeUndefined()
    expect(problems.issues[0]).toMatchObject({ line, message: expect.stringContaining(message) })
  })

  it('because it is nested too deeply', () => {
    const problems = createProblems()
    expect(parseYaml(`a: ${'['.repeat(100_000)}`, 'app.yml', problems)).toBeUndefined()
    expect(problems.issues.length).toBeLessThan(10)
  })

  it('does not grow with aliases of aliases', () => {
    const levels = Array.from(
      { length: 40 },
      (_, level) => `a${level + 1}: &a${level + 1} [*a${level}, *a${level}]`,
    )
    const problems = createProblems()
    expect(parseYaml(`a0: &a0 x\n${levels.join('\n')}\n`, 'app.yml', problems)).toMatchObject({
      kind: 'mapping',
    })
  })
})
