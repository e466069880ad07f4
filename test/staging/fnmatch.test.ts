import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compileFnmatch } from '../../src/staging/fnmatch.js'

/** What fnmatch.fnmatch said of each glob and all names, see fixtures/make-tables.py. */
const TABLE: { glob: string; matching: string[] }[] = []
const NAMES: string[] = []
for (const row of JSON.parse(readFileSync(new URL('fixtures/fnmatch-table.json', import.meta.url), 'utf8'))) {
  if ('names' in row) NAMES.push(...row.names)
  else TABLE.push(row)
}

describe("globs as Python's fnmatch has them", () => {
  it.each(TABLE)('$glob', ({ glob, matching }) => {
    expect(NAMES.filter(compileFnmatch(glob))).toEqual(matching)
  })

  it('end for names that make a regular expression run for ever', () => {
    const matches = compileFnmatch(`${'a*'.repeat(200)}b`)
    expect(matches('a'.repeat(4000))).toBe(false)
    expect(matches(`${'a'.repeat(4000)}b`)).toBe(true)
  })
})
