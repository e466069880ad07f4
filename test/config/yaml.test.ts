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
