import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { SETUP_OPTIONS } from '../../src/setup/answers/options/index.js'
import { renderSetupOptionsPage } from '../../src/setup/answers/render-options.js'

it('docs/setup-options.md is what the option table gives', () => {
  const page = readFileSync(new URL('../../docs/setup-options.md', import.meta.url), 'utf8')
  expect(page, 'run: npm run build && npm run docs').toBe(renderSetupOptionsPage())
})

it('every option has a row, and the cells line up', () => {
  const rows = renderSetupOptionsPage()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  expect(rows).toHaveLength(SETUP_OPTIONS.length)
  for (const row of rows) expect(row.match(/(?<!\\)\|/g), row).toHaveLength(6)
})
