import { plain, plainLines } from '../node/show.js'
import { formatLine } from '../python-log-lines.js'

/** One entry of a server's log: its first line and those that belong to it. */
export interface LogEntry {
  /** Milliseconds since 1970; undefined: the line does not say. */
  readonly atMs: number | undefined
  readonly lines: readonly string[]
  /** Fields of a JSON line. */
  readonly fields: Readonly<Record<string, unknown>> | undefined
}

export interface EntryFilter {
  readonly job: string | undefined
  readonly sinceMs: number | undefined
}

/** What a terminal may be asked to take for one line. */
const MAX_LINE = 1024 * 1024
const MAX_LINES = 1000
const TIME = /(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[,.](\d{3}))?/

/** Puts lines together to entries: a stack trace belongs to the line before it. `end` gives the last one. */
export function createEntryReader(): {
  take(line: string): LogEntry | undefined
  end(): LogEntry | undefined
} {
  let open: { atMs: number | undefined; lines: string[]; fields: LogEntry['fields'] } | undefined
  const end = (): LogEntry | undefined => {
    const entry = open
    open = undefined
    return entry
  }
  return {
    take(line) {
      const text = line.slice(0, MAX_LINE)
      const fields = parseFields(text)
      const atMs = fields ? Date.parse(String(fields.time)) : parseTime(text)
      if (open && !fields && atMs === undefined) {
        if (open.lines.length < MAX_LINES) open.lines.push(text)
        return undefined
      }
      const before = end()
      open = { atMs, lines: [text], fields }
      return before
    },
    end,
  }
}

function parseFields(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const found = JSON.parse(line) as Record<string, unknown>
    return typeof found.time === 'string' && typeof found.level === 'string' ? found : undefined
  } catch {
    return undefined
  }
}

/** The time of Python's logging near the beginning of a line: the clock on the wall of the server. */
function parseTime(line: string): number | undefined {
  const found = TIME.exec(line.slice(0, 120))
  if (!found) return undefined
  const [year = 0, month = 1, day = 1, hour, minute, second, ms = 0] = found
    .slice(1)
    .map((part) => Number(part ?? 0))
  return new Date(year, month - 1, day, hour, minute, second, ms).getTime()
}

export function isWanted({ atMs, lines, fields }: LogEntry, { job, sinceMs }: EntryFilter): boolean {
  if (sinceMs !== undefined && atMs !== undefined && atMs < sinceMs) return false
  if (job === undefined) return true
  return fields ? fields.job === job : mentions(lines[0] ?? '', job)
}

/** "job 12" is not meant by "job 1". */
function mentions(line: string, job: string): boolean {
  for (let at = line.indexOf(`job ${job}`); at >= 0; at = line.indexOf(`job ${job}`, at + 1)) {
    const after = line[at + 4 + job.length]
    if (after === undefined || !/[\w.-]/.test(after)) return true
  }
  return false
}

const READABLE = '%(asctime)s %(levelname)-7s %(message)s'

/** An entry as people read it. */
export function renderEntry({ lines, fields }: LogEntry): string {
  if (!fields) return plainLines(lines.join('\n'))
  const { level, time, pid } = fields
  const message = formatLine(READABLE, {
    ...fields,
    level: String(level),
    time: String(time),
    pid: Number(pid),
  })
  const stack = (fields.err as { stack?: unknown } | undefined)?.stack
  const more = [...(typeof stack === 'string' ? [stack] : []), ...lines.slice(1)]
  return [plain(message), ...more.map(plainLines)].join('\n')
}

/** An entry as one line of JSON. */
export function jsonOf({ atMs, lines, fields }: LogEntry): string {
  return JSON.stringify(
    fields ?? { time: atMs === undefined ? null : new Date(atMs).toISOString(), line: lines.join('\n') },
  )
}
