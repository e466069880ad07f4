import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { OPTION_GROUPS } from '../../src/config/options/index.js'
import { renderErrorsPage, renderOptionsPage } from '../../src/config/render-docs.js'

const DOCS = new URL('../../docs/', import.meta.url)
const HINT = 'run: npm run build && npm run docs'

it('docs/options.md is what the option table gives', () => {
  expect(readFileSync(new URL('options.md', DOCS), 'utf8'), HINT).toBe(renderOptionsPage())
})

it('docs/errors.md is what the error table gives', () => {
  expect(readFileSync(new URL('errors.md', DOCS), 'utf8'), HINT).toBe(renderErrorsPage())
})

it('every option is described, in a table whose cells line up', () => {
  const rows = renderOptionsPage()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  expect(rows).toHaveLength(OPTION_GROUPS.flatMap((group) => Object.keys(group.options)).length)
  for (const row of rows) expect(row.match(/(?<!\\)\|/g), row).toHaveLength(5)
})
