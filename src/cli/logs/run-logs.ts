import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { loadConfig } from '../../config/load.js'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { notPermitted } from '../../lib/not-permitted.js'
import { abortAfter } from '../../lib/time-limit.js'
import { findInstallation } from '../../setup/installation.js'
import { probeSupervisor } from '../../setup/probes/supervisor.js'
import { supervisorctl } from '../../setup/services/supervisor.js'
import { openConfig } from '../config/config-directory.js'
import { say, type Terminal } from '../config/terminal.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { parseDuration, plain } from '../node/show.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import {
  createEntryReader,
  type EntryFilter,
  isWanted,
  jsonOf,
  type LogEntry,
  renderEntry,
} from './entries.js'
import { openLog } from './read-file.js'

export interface LogsLine {
  readonly config?: string | undefined
  readonly follow?: boolean | undefined
  readonly job?: string | undefined
  readonly since?: string | undefined
  readonly lines?: string | undefined
  readonly json?: boolean | undefined
}

const DEFAULT_LINES = 100
const TAIL_BYTES = 4 * 1024 * 1024
const PROBE_MS = 5000

type Source =
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'command'; readonly argv: readonly string[] }

/** `magnetar logs`: resolves with the exit code. */
export async function runLogs(line: LogsLine, terminal: Terminal): Promise<number> {
  const interrupts = watchInterrupts(() => {})
  const { signal } = interrupts
  try {
    const filter = { job: line.job, sinceMs: line.since === undefined ? undefined : parseSince(line.since) }
    const wanted = linesOf(line)
    const options = await openConfig(line.config, terminal)
    const { logging, configDirectory } = await loadConfig({ ...options, signal })
    const source = await findLog(logging.file, configDirectory, line)
    let printed = 0
    const printer = createPrinter(filter, wanted, (entry) => {
      printed++
      terminal.stdout.write(`${line.json ? jsonOf(entry) : renderEntry(entry)}\n`)
    })
    if (source.kind === 'file') await readFiles(source.file, line, filter, printer, signal)
    else await readCommand(source.argv, printer, signal)
    if (printed === 0 && !line.follow) say(terminal.stderr, nothingFound(line))
    return EXIT.ok
  } catch (error) {
    if (signal.aborted) return line.follow ? EXIT.ok : EXIT.interrupted
    printError(error)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

function nothingFound({ job, since, lines }: LogsLine): string {
  if (lines === '0') return 'No entries are wanted.'
  const about = job === undefined ? '' : ` about job ${plain(job)}`
  return `The log has no entries${about}${since === undefined ? '' : ` since ${since}`}.`
}

interface Printer {
  take(line: string): void
  /** Prints what is held back: the last entry may have been waiting for more lines. */
  flush(): void
  /** From now on everything is printed as it comes. */
  goOn(): void
}

/** Keeps the last `wanted` entries until all that is there has been read; Infinity: prints them as they come. */
function createPrinter(filter: EntryFilter, wanted: number, print: (entry: LogEntry) => void): Printer {
  const reader = createEntryReader()
  let held: LogEntry[] = []
  let keeps = wanted !== Number.POSITIVE_INFINITY
  const give = (entry: LogEntry | undefined): void => {
    if (!entry || !isWanted(entry, filter)) return
    if (!keeps) {
      print(entry)
      return
    }
    held.push(entry)
    if (held.length > 2 * wanted) held = held.slice(-wanted)
  }
  const printHeld = (): void => {
    for (const entry of wanted === 0 ? [] : held.slice(-wanted)) print(entry)
    held = []
  }
  return {
    take: (line) => give(reader.take(line)),
    flush() {
      give(reader.end())
      printHeld()
    },
    goOn() {
      printHeld()
      keeps = false
    },
  }
}

/** What logrotate moved away last is read first, when it reaches back to there. */
async function readFiles(
  file: string,
  { follow }: LogsLine,
  filter: EntryFilter,
  printer: Printer,
  signal: AbortSignal,
): Promise<void> {
  const whole = filter.job !== undefined || filter.sinceMs !== undefined
  const options = { signal, onLine: printer.take, ...(whole ? {} : { tailBytes: TAIL_BYTES }) }
  const former = `${file}.1`
  const log = await openLog(file, { ...options, former }).catch(async (error: unknown) => {
    throw await unreadable(file, error)
  })
  try {
    if (whole && !log.beganWithFormer) {
      const moved = await openLog(former, options).catch(() => undefined)
      await moved?.readOn()
      await moved?.close()
    }
    await log.readOn()
    if (!follow) return
    printer.flush()
    printer.goOn()
    await log.follow(() => printer.flush())
  } finally {
    await log.close()
    if (!signal.aborted) printer.flush()
  }
}

async function unreadable(file: string, error: unknown): Promise<MagnetarError> {
  if (errnoOf(error) === 'EACCES')
    return notPermitted(`this user may not read ${file}`, dirname(file), {
      command: 'magnetar logs',
      cause: error,
    })
  return new MagnetarError('LOG_NOT_FOUND', `the log cannot be read: ${messageOf(error)}`, {
    fix: 'The server makes it when it is started; before that its service manager has what it said: supervisorctl tail pulsar, or journalctl -u pulsar',
    cause: error,
  })
}

async function readCommand(argv: readonly string[], printer: Printer, signal: AbortSignal): Promise<void> {
  const [command = '', ...args] = argv
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], signal, killSignal: 'SIGTERM' })
  const failed = once(child, 'close')
  // A last entry is not kept waiting for lines that may never come.
  const lines = createInterface({ input: child.stdout })
  let timer: NodeJS.Timeout | undefined
  lines.on('line', (line) => {
    printer.take(line)
    clearTimeout(timer)
    timer = setTimeout(printer.flush, 300)
  })
  try {
    await failed
  } finally {
    clearTimeout(timer)
    printer.flush()
  }
}

/** The file of `logto`, else what the service manager of the node keeps. */
async function findLog(file: string | undefined, configDirectory: string, line: LogsLine): Promise<Source> {
  if (file !== undefined) return { kind: 'file', file }
  const found = await findInstallation(configDirectory)
  const service = found?.manifest.answers.service
  const serviceName = found?.paths.serviceName ?? ''
  if (service === 'systemd') {
    const since = line.since === undefined ? [] : ['--since', `@${Math.floor(parseSince(line.since) / 1000)}`]
    const argv = ['journalctl', '--unit', serviceName, '--output', 'cat', '--no-pager', '--quiet', ...since]
    return { kind: 'command', argv: line.follow ? [...argv, '--follow', '--lines', 'all'] : argv }
  }
  const supervisor = service === 'supervisor' ? await probeSupervisor(abortAfter(PROBE_MS)) : undefined
  if (supervisor)
    return {
      kind: 'command',
      argv: line.follow
        ? supervisorctl(supervisor, 'tail', '-f', serviceName)
        : supervisorctl(supervisor, 'tail', `-${TAIL_BYTES}`, serviceName),
    }
  throw new MagnetarError(
    'LOG_NOT_FOUND',
    'the server writes its log to standard error, and nobody knows where that goes',
    {
      fix: 'Set logto in [uwsgi] of server.ini and restart the server, or look where it was started.',
    },
  )
}

function linesOf({ lines, since, job }: LogsLine): number {
  if (lines === undefined)
    return since !== undefined || job !== undefined ? Number.POSITIVE_INFINITY : DEFAULT_LINES
  if (/^\d{1,6}$/.test(lines)) return Number(lines)
  throw new MagnetarError('ANSWER_INVALID', `--lines ${lines} is no number of lines`, { fix: '--lines 100' })
}

/** "2h" ago, a time of today, or a day and time on the wall of this machine. */
export function parseSince(text: string, nowMs = Date.now()): number {
  const ago = parseDuration(text)
  if (ago !== undefined) return nowMs - ago
  const ofToday = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text)
  if (ofToday) {
    const [hour = 0, minute = 0, second = 0] = ofToday.slice(1).map((part) => Number(part ?? 0))
    return new Date(nowMs).setHours(hour, minute, second, 0)
  }
  // A date alone would be taken for UTC.
  const found = Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text.replace(' ', 'T'))
  if (!Number.isNaN(found)) return found
  throw new MagnetarError('ANSWER_INVALID', `--since ${text}: expected a time`, {
    fix: 'For example 2h, 7d, 14:30, 2026-11-22 or "2026-11-22 14:30".',
  })
}
