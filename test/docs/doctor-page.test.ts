import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { EXAMINATIONS } from '../../src/doctor/examinations/index.js'
import { renderFindingsTable, withFindingsTable } from '../../src/doctor/render-findings.js'
import { COMMON_FINDINGS } from '../../src/doctor/run-doctor.js'

const page = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8')

it('docs/doctor.md has the findings of the examinations', () => {
  expect(page, 'run: npm run build && npm run docs').toBe(withFindingsTable(page))
  expect(page).toContain(renderFindingsTable())
})

it('every finding has an id of its own', () => {
  const ids = [...EXAMINATIONS.flatMap(({ id, findings }) => [id, ...Object.keys(findings)])]
  expect([...ids, ...Object.keys(COMMON_FINDINGS)]).toHaveLength(new Set(ids).size + 2)
})
