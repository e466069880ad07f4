import type { ChalkInstance } from 'chalk'
import type { JobCounts, JobList, JobStatus, JobSummary } from '../../control/types.js'
import { cut, plain, showAge } from '../node/show.js'

const STATUSES = [
  'preprocessing',
  'queued',
  'running',
  'postprocessing',
  'complete',
  'cancelled',
  'failed',
  'lost',
] as const satisfies readonly JobStatus[]

const GAP = '  '
const MIN_TOOL = 8
const MAX_TOOL = 40
const MIN_REASON = 8

export interface TableStyle {
  readonly palette: ChalkInstance
  /** Columns; undefined: nothing is cut, for a pipe. */
  readonly width: number | undefined
  /** Several managers: theirs is a column. */
  readonly managers: boolean
  readonly nowMs: number
}

/** The jobs as a table, headings first; one line a job. */
export function renderTable(jobs: readonly JobSummary[], style: TableStyle): string[] {
  const rows = jobs.map((job) => cellsOf(job, style))
  const columns = ['ID', ...(style.managers ? ['MANAGER'] : []), 'TOOL', 'STATE', 'AGE', 'EXTERNAL', 'REASON']
  const all = [columns, ...rows]
  const widths = columns.map((_, index) => Math.max(...all.map((row) => (row[index] ?? '').length)))
  if (style.width !== undefined) shrink(widths, columns, style.width)
  return all.map((row, line) => {
    const cells = row.map((cell, index) => {
      const width = widths[index] ?? 0
      const text = columns[index] === 'ID' ? cell : cut(cell, width)
      return index === columns.length - 1 ? text : text.padEnd(width)
    })
    const at = columns.indexOf('STATE')
    if (line === 0) return style.palette.bold(cells.join(GAP).trimEnd())
    const colour = colourOf(jobs[line - 1]?.status, style.palette)
    const text = cells.map((cell, index) => (index === at ? colour(cell) : cell))
    return text.join(GAP).trimEnd()
  })
}

function cellsOf(job: JobSummary, { managers, nowMs }: TableStyle): string[] {
  return [
    plain(job.id),
    ...(managers ? [plain(job.manager)] : []),
    shortTool(plain(job.toolId)) || '-',
    job.stopping ? 'stopping' : job.status,
    showAge(nowMs - job.submittedAtMs),
    plain(job.externalId ?? '-'),
    plain(job.reason ?? ''),
  ]
}

/** toolshed.g2.bx.psu.edu/repos/devteam/bwa/bwa/0.7.17 is bwa/0.7.17 to people. */
export function shortTool(toolId: string): string {
  const parts = toolId.split('/')
  return parts.length > 3 && parts.includes('repos') ? parts.slice(-2).join('/') : toolId
}

/** Takes room from the reason first, then from the tool; ids stay whole, to be copied. */
function shrink(widths: number[], columns: readonly string[], width: number): void {
  const tool = columns.indexOf('TOOL')
  const reason = columns.indexOf('REASON')
  const total = (): number => widths.reduce((sum, each) => sum + each, GAP.length * (columns.length - 1))
  const take = (index: number, least: number): void => {
    const excess = total() - width
    if (excess > 0)
      widths[index] = Math.max(Math.min(least, widths[index] ?? 0), (widths[index] ?? 0) - excess)
  }
  widths[tool] = Math.min(MAX_TOOL, widths[tool] ?? 0)
  take(reason, 24)
  take(tool, MIN_TOOL)
  take(reason, MIN_REASON)
  take(columns.indexOf('EXTERNAL'), MIN_REASON)
  take(reason, 1)
}

export function colourOf(status: JobStatus | undefined, palette: ChalkInstance): ChalkInstance {
  if (status === 'failed' || status === 'lost') return palette.red
  if (status === 'running') return palette.cyan
  if (status === 'complete') return palette.green
  if (status === 'cancelled') return palette.dim
  return palette.yellow
}

/** "3 running · 5 queued", in the order of a job's way; "no jobs". */
export function renderCounts(counts: JobCounts): string {
  const parts = STATUSES.flatMap((status) => (counts[status] ? [`${counts[status]} ${status}`] : []))
  return parts.join(' · ') || 'no jobs'
}

export function renderFooter({ counts, left }: JobList): string[] {
  const more = left > 0 ? [`${left} more that are over are not listed: --limit`] : []
  return [...more, renderCounts(counts)]
}

export function isStatus(word: string): word is JobStatus {
  return (STATUSES as readonly string[]).includes(word)
}

export function isOver(status: JobStatus): boolean {
  return /^(complete|cancelled|failed|lost)$/.test(status)
}

export const STATUS_WORDS = STATUSES.join(', ')
