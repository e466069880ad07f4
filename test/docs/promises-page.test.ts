import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { PROMISES } from '../../src/cli/audit/render-audit.js'

const root = new URL('../../', import.meta.url)
const read = (file: string): string => readFileSync(new URL(file, root), 'utf8')

it('docs/promises.md names tests that exist', () => {
  const named = [...read('docs/promises.md').matchAll(/^- `(test\/[^`]+)`: (?:"(.+)"|the same .*)$/gm)]
  expect(named.length).toBeGreaterThan(20)
  const missing = named.filter(([, file = '', name]) => {
    const text = read(file).replaceAll("\\'", "'")
    return name !== undefined && !text.includes(name)
  })
  expect(missing.map(([line]) => line)).toEqual([])
})

it('every section of docs/promises.md has a test that was seen failing, or says what is missing', () => {
  const sections = read('docs/promises.md').split(/^## /m).slice(1)
  const open = sections.filter((text) => !/seen failing: [a-z]|not run yet/.test(text))
  expect(open.map((text) => text.split('\n', 1)[0])).toEqual([])
})

it('docs/audit.md has every rule', () => {
  const rules = [...read('docs/audit.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, rule]) => rule)
  expect(rules.sort()).toEqual(Object.keys(PROMISES).sort())
})
