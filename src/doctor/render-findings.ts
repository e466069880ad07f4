import { EXAMINATIONS } from './examinations/index.js'
import { COMMON_FINDINGS } from './run-doctor.js'
import type { FindingMeaning } from './types.js'

/** The table of docs/doctor.md: every finding with its id, what it means and what mends it. */
export function renderFindingsTable(): string {
  const groups: readonly (readonly [string, Readonly<Record<string, FindingMeaning>>])[] = [
    ...EXAMINATIONS.map(({ title, findings }) => [title, findings] as const),
    ['any', COMMON_FINDINGS],
  ]
  const rows = groups.flatMap(([title, findings]) =>
    Object.entries(findings).map(
      ([id, { state, meaning, fix }]) => `| ${title} | \`${id}\` | ${state} | ${meaning} | ${fix} |`,
    ),
  )
  return [
    '| examined | finding | state | what it means | what mends it |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

const BEGIN = '<!-- Made from the examinations: npm run build && npm run docs -->'
const END = '<!-- end -->'

/** The page with the table as it is now between its marks. */
export function withFindingsTable(page: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from < 0 || to < from) return page
  return `${page.slice(0, from + BEGIN.length)}\n\n${renderFindingsTable()}\n\n${page.slice(to)}`
}
