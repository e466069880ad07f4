import type { JobList, JobSummary } from '../../control/types.js'
import { messageOf } from '../../lib/errors.js'
import { pause } from '../../lib/timing.js'
import type { Stream } from '../config/terminal.js'
import { sayStopped } from '../node/open-node.js'
import { plain, showTime } from '../node/show.js'
import { createPalette } from '../palette.js'
import { terminalWidth } from '../wrap.js'
import { renderFooter, renderTable } from './table.js'

const INTERVAL_MS = 1000
/** The records of a stopped server have to be copied for every look at them. */
const STOPPED_MS = 5000

const RUNS_AGAIN = 'The server runs.'

const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
/** A terminal that knows it shows all of the picture at once. */
const BEGIN = '\u001b[?2026h\u001b[H'
const END = '\u001b[J\u001b[?2026l'
const END_OF_LINE = '\u001b[K\n'

export interface WatchOptions {
  readonly stdout: Stream & { readonly rows?: number }
  readonly env: NodeJS.ProcessEnv
  readonly json: boolean
  readonly managers: boolean
  readonly signal: AbortSignal
  /** Asks the server, or its records. */
  read(): Promise<JobList>
}

/** Shows the jobs until the signal: as a picture in a terminal, as lines of what changed in a pipe. The terminal is left as it was. */
export async function watchJobs(options: WatchOptions): Promise<void> {
  const { stdout, json, env } = options
  if (!json && stdout.isTTY && env.TERM !== 'dumb') return draw(options)
  const known = new Map<string, string>()
  let ran = true
  await eachTurn(options, (list, problem) => {
    if (json) stdout.write(`${JSON.stringify(list ?? { error: problem })}\n`)
    else if (list) {
      if (list.running !== ran)
        stdout.write(`${showTime(Date.now())} ${list.running ? RUNS_AGAIN : sayStopped(list)}\n`)
      ran = list.running
      for (const line of changes(known, list)) stdout.write(`${line}\n`)
    } else stdout.write(`${showTime(Date.now())} ${plain(problem)}\n`)
  })
}

async function draw(options: WatchOptions): Promise<void> {
  const { stdout } = options
  stdout.write(ENTER)
  const leave = (): void => void stdout.write(LEAVE)
  process.once('exit', leave)
  try {
    await eachTurn(options, (list, problem) => stdout.write(picture(options, list, problem)))
  } finally {
    process.off('exit', leave)
    leave()
  }
}

function picture(options: WatchOptions, list: JobList | undefined, problem: string): string {
  const { stdout, env, managers } = options
  const palette = createPalette(stdout, env)
  const width = terminalWidth(stdout)
  const nowMs = Date.now()
  const head = `${showTime(nowMs)}  ${list ? renderFooter({ ...list, left: 0 }).join('') : plain(problem)}`
  const table = list ? renderTable(list.jobs, { palette, width, managers, nowMs }) : []
  const notes = list && !list.running ? [palette.yellow(sayStopped(list))] : []
  const room = Math.max(3, (stdout.rows || 24) - 2 - notes.length)
  const shown = table.slice(0, room - 1)
  const rest = table.length - shown.length
  const lines = [
    palette.bold(head.slice(0, width)),
    ...notes,
    ...shown,
    ...(rest > 0 ? [`… ${rest} more`] : []),
  ]
  return BEGIN + lines.map((line) => `${line}${END_OF_LINE}`).join('') + END
}

async function eachTurn(
  { read, signal }: WatchOptions,
  show: (list: JobList | undefined, problem: string) => void,
): Promise<void> {
  // The pause alone would not keep the process.
  const stay = setInterval(() => {}, 60_000)
  try {
    while (!signal.aborted) {
      let ms = INTERVAL_MS
      try {
        const list = await read()
        if (signal.aborted) return
        show(list, '')
        if (!list.running) ms = STOPPED_MS
      } catch (error) {
        if (signal.aborted) return
        show(undefined, messageOf(error))
      }
      await pause(ms, signal)
    }
  } finally {
    clearInterval(stay)
  }
}

function changes(known: Map<string, string>, { jobs }: JobList): string[] {
  const lines: string[] = []
  const now = new Map<string, string>()
  for (const job of jobs) {
    const key = `${job.manager}/${job.id}`
    const text = describeState(job)
    now.set(key, text)
    if (known.get(key) !== text) lines.push(`${showTime(job.sinceMs)} ${plain(job.id)} ${text}`)
  }
  for (const key of known.keys()) if (!now.has(key)) known.delete(key)
  for (const [key, text] of now) known.set(key, text)
  return lines
}

function describeState(job: JobSummary): string {
  const parts = [
    job.stopping ? 'stopping' : job.status,
    job.toolId || '-',
    job.externalId ?? '-',
    job.reason ?? '',
  ]
  return plain(parts.join(' ')).trimEnd()
}
