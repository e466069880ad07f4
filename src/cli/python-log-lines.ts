/** What pino writes: level and message, and the fields of the line. */
interface Entry {
  readonly level: string
  readonly time: string
  readonly pid: number
  readonly msg?: string
  readonly job?: string
  readonly logger?: string
  readonly err?: { readonly stack?: string }
  readonly [field: string]: unknown
}

const OWN_FIELDS = new Set(['level', 'time', 'pid', 'msg', 'job', 'logger', 'err'])

/**
 * A destination for pino that writes lines as Python's logging does, in the format of server.ini: admins' eyes and tools know these.
 * `%(name)s` is `pulsar` or the line's own logger, `%(threadName)s` always MainThread.
 */
export function formatLines(
  format: string,
  destination: { write(text: string): unknown },
): { write(text: string): void } {
  return {
    write(text) {
      const entry = JSON.parse(text) as Entry
      const stack = entry.err?.stack
      destination.write(`${formatLine(format, entry)}\n${stack ? `${stack}\n` : ''}`)
    },
  }
}

/** %(key)s with width and precision, as in `%(levelname)-5.5s`. */
const FIELD = /%(?:%|\((\w+)\)(-?)(\d*)(?:\.(\d+))?[sd])/g

export function formatLine(format: string, entry: Entry): string {
  const values: Readonly<Record<string, string>> = {
    asctime: localTime(new Date(entry.time)),
    levelname: entry.level === 'warn' ? 'WARNING' : entry.level.toUpperCase(),
    name: entry.logger ?? 'pulsar',
    threadName: 'MainThread',
    process: String(entry.pid),
    processName: 'MainProcess',
    message: messageOf(entry),
  }
  return format.replace(FIELD, (_whole, key?: string, left?: string, width?: string, precision?: string) => {
    if (key === undefined) return '%'
    const value = (values[key] ?? '').slice(0, precision === undefined ? undefined : Number(precision))
    return left ? value.padEnd(Number(width)) : value.padStart(Number(width))
  })
}

function messageOf(entry: Entry): string {
  const more = Object.entries(entry)
    .filter(([field]) => !OWN_FIELDS.has(field))
    .map(([field, value]) => `${field}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const text = [entry.msg, ...more].filter((part) => part !== undefined && part !== '').join(' ')
  // A name or a reason must not begin a line of its own, which could pretend to be another entry, nor steer the terminal of a reader.
  return (entry.job === undefined ? text : `job ${entry.job}: ${text}`)
    .replaceAll('\n', '\\n')
    .replace(CONTROL, escapeControl)
}

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** As time.strftime('%Y-%m-%d %H:%M:%S') and milliseconds after a comma: the clock on the admin's wall. */
function localTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day} ${time},${String(date.getMilliseconds()).padStart(3, '0')}`
}
