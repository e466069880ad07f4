import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import { quoteForShell } from '../lib/shell.js'
import { hideSecrets } from './files/hide-secrets.js'
import type { Change, FileChange, Owner, Plan } from './types.js'

type Counted = Change['counts']

/** In the order of the summary. Of the first group there is one for a step, however many changes it needs. */
const WORDS: Readonly<
  Record<Counted, { readonly one: string; readonly many: string; readonly perStep: boolean }>
> = {
  user: { one: 'user', many: 'users', perStep: true },
  directory: { one: 'directory', many: 'directories', perStep: false },
  file: { one: 'file', many: 'files', perStep: false },
  runtime: { one: 'runtime', many: 'runtimes', perStep: true },
  release: { one: 'release', many: 'releases', perStep: true },
  service: { one: 'service', many: 'services', perStep: true },
  other: { one: 'other change', many: 'other changes', perStep: false },
}

/** "1 user · 9 directories · 6 files · 1 service", or "nothing to do"; conflicts are counted too. */
export function summarizePlan(plan: Plan): string {
  const parts = Object.entries(WORDS).flatMap(([counts, { one, many, perStep }]) => {
    const changes = plan.changes.filter((change) => change.counts === counts)
    const number = perStep ? new Set(changes.map(({ step }) => step)).size : changes.length
    return number === 0 ? [] : [countOf(number, one, many)]
  })
  if (parts.length === 0) parts.push('nothing to do')
  if (plan.conflicts.length > 0) parts.push(countOf(plan.conflicts.length, 'conflict', 'conflicts'))
  return parts.join(' · ')
}

function countOf(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`
}

/** A line for each change, without secrets. Directories that follow each other stand below the one that holds them. */
export function listPlan(plan: Plan): string[] {
  const lines: string[] = []
  let holder: string | undefined
  for (const change of plan.changes) {
    const isInside =
      change.kind === 'directory' && holder !== undefined && change.path.startsWith(`${holder}/`)
    lines.push(isInside ? `  ${describe(change).replaceAll(`${holder}/`, '')}` : describe(change))
    if (!isInside) holder = change.kind === 'directory' ? change.path : undefined
  }
  return lines
}

/**
 * The whole plan for people who want to see everything: a unified diff for each file (values of secret keys hidden), a line for each
 * other change, then conflicts and notes. The first character says what a line is: `+`, `-`, `@` and blank as in any diff, `*` a
 * change, `!` a conflict, `#` a note.
 */
export function renderDiff(plan: Plan): string {
  const lines = plan.changes.flatMap((change) => {
    const command = change.kind === 'command' ? `: ${change.argv.map(quoteForShell).join(' ')}` : ''
    const head = `* ${describe(change)}${command}`
    return change.kind === 'file' ? [head, ...diffOf(change)] : [head]
  })
  for (const { path, key, message } of plan.conflicts)
    lines.push(`! ${path}${key === undefined ? '' : ` (${key})`}: ${message}`)
  for (const note of plan.notes) lines.push(`# ${note}`)
  return lines.map((line) => `${visible(line)}\n`).join('')
}

function diffOf({ path, before, after, secretKeys }: FileChange): string[] {
  if (before === after) return []
  const shown = hideSecrets(before ?? '', after, secretKeys)
  const from = before === undefined ? '/dev/null' : path
  const patch = createTwoFilesPatch(from, path, shown.before, shown.after, '', '', {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
  })
  return patch.replace(/\n$/, '').split('\n')
}

/** The title, with what it does not say: mode and owner, where a link leads. */
function describe(change: Change): string {
  const { title } = change
  switch (change.kind) {
    case 'directory':
    case 'file':
      return `${title} (${change.mode.toString(8).padStart(4, '0')}${ownerOf(change.owner)})`
    case 'link':
      return title.includes(change.target) ? title : `${title} -> ${change.target}`
    default:
      return title
  }
}

function ownerOf(owner: Owner | undefined): string {
  return owner === undefined ? '' : ` ${owner.user}:${owner.group}`
}

/** What is in a file must not move the cursor of whoever looks at it. */
function visible(line: string): string {
  return line.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
