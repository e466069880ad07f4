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
