import { isIP } from 'node:net'
import { isAbsolute, normalize, resolve } from 'node:path'

/** Where a relative path and `~` are taken from. */
export interface Base {
  readonly directory: string
  readonly home: string
}

/** How the text of a flag, a variable or an answers file becomes a value. */
export interface AnswerType<T> {
  /** Completes "expected …". */
  readonly expected: string
  /** undefined: not what is expected. */
  parse(text: string, base: Base): { readonly value: T } | undefined
  /** For completions; a directory or a file is completed by the shell. */
  readonly completes: 'nothing' | 'directory' | 'file' | readonly string[]
}

/** Not on zod: this table is on the way to `magnetar --help`. */
function type<T>(
  expected: string,
  completes: AnswerType<T>['completes'],
  parse: (text: string, base: Base) => T | undefined,
): AnswerType<T> {
  return {
    expected,
    completes,
    parse(text, base) {
      const value = parse(text.trim(), base)
      return value === undefined ? undefined : { value }
    },
  }
}

/** An empty text says: none, whatever the last setup had. */
export function orNone<T>(inner: AnswerType<T>): AnswerType<T | undefined> {
  return {
    expected: `${inner.expected}, or nothing`,
    completes: inner.completes,
    parse: (text, base) => (text.trim() === '' ? { value: undefined } : inner.parse(text, base)),
  }
}

function absolute(text: string, base: Base): string | undefined {
  // Line breaks and control characters would leave the line of a configuration file that the path stands in.
  if (text === '' || /\p{Cc}/u.test(text)) return undefined
  const expanded = text === '~' || text.startsWith('~/') ? `${base.home}${text.slice(1)}` : text
  const path = normalize(isAbsolute(expanded) ? expanded : resolve(base.directory, expanded))
  return path.length > 1 ? path.replace(/\/+$/, '') : path
}

/** Directories of the system: a node below one of them is fine, a node in it would take it over. */
const SYSTEM_DIRECTORIES = new Set(
  '/ /bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /usr/bin /usr/lib /usr/local /usr/sbin /usr/share /var /var/lib /var/log /var/tmp'.split(
    ' ',
  ),
)

// Supervisor, systemd, uWSGI and the shell lines of a prefix each quote in their own way; none of them minds these.
export const prefixDirectory = type(
  'a directory of its own, of letters, digits and . _ - + / only',
  'directory',
  (text, base) => {
    const path = absolute(text, base)
    return path === undefined || SYSTEM_DIRECTORIES.has(path) || !/^[\w./+-]+$/.test(path) ? undefined : path
  },
)

export const directory = type('a directory', 'directory', absolute)
export const file = type('a file', 'file', absolute)

/** It goes into the user database, where a directory of the moment has no meaning. */
export const homeDirectory = type('an absolute path, not /', 'directory', (text, base) =>
  /^(\/|~$|~\/)/.test(text) ? absolute(text, base) : undefined,
)

export const program = type('a program', 'file', absolute)

/** `-` is standard input. */
export const fileOrInput = type('a file, or - for standard input', 'file', (text, base) =>
  text === '-' ? text : absolute(text, base),
)

/** Wider than what useradd makes, since existing users may come from a directory service. */
export const accountName = type(
  'a name of letters, digits and . _ -, beginning with a letter or _, at most 32 long',
  'nothing',
  (text) => (/^[a-z_][\w.-]{0,31}$/i.test(text) ? text : undefined),
)

export const instanceName = type('a short name of lower-case letters, digits and -', 'nothing', (text) =>
  /^[a-z0-9][a-z0-9-]{0,23}$/.test(text) ? text : undefined,
)

export const accountId = type('a number from 1 to 4294967294', 'nothing', (text) =>
  wholeNumber(text, 1, 4294967294),
)

export const portNumber = type('a port number from 1 to 65535', 'nothing', (text) =>
  wholeNumber(text, 1, 65535),
)

export const jobCount = type(
  'a whole number from 1, or * for the number of CPUs',
  'nothing',
  (text): number | '*' | undefined => (text === '*' ? text : wholeNumber(text, 1, 100_000)),
)

const HOST_NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i

export const hostAddress = type(
  'an address of this machine, a host name, or 0.0.0.0 for all addresses',
  ['127.0.0.1', '0.0.0.0', 'localhost', '::'],
  (text) => {
    const host = text.replace(/^\[(.*)\]$/, '$1')
    // Digits and dots only, but no address: a mistyped one, which no name server should be asked for.
    return isIP(host) || (HOST_NAME.test(host) && !/^[\d.]+$/.test(host)) ? host : undefined
  },
)

/** One word of Slurm. */
export const partitionName = type('the name of a partition', 'nothing', (text) =>
  /^[\w.+-]+(,[\w.+-]+)*$/.test(text) ? text : undefined,
)

export const textLine = type('one line of text', 'nothing', (text) =>
  text === '' || /\p{Cc}/u.test(text) ? undefined : text,
)

const YES = new Set(['true', 'yes', 'on', '1'])
const NO = new Set(['false', 'no', 'off', '0'])

export const yesOrNo = type('yes or no', ['yes', 'no'], (text) => {
  const word = text.toLowerCase()
  return YES.has(word) ? true : NO.has(word) ? false : undefined
})

export function oneOf<const T extends string>(words: readonly T[]): AnswerType<T> {
  return type(`one of ${words.join(', ')}`, words, (text) => words.find((word) => word === text))
}

/** `download`, or a program to copy. */
export const nodeRuntime = type('download, or the path of a node program', 'file', (text, base) =>
  text === 'download' ? text : absolute(text, base),
)

function wholeNumber(text: string, minimum: number, maximum: number): number | undefined {
  const number = Number(text)
  return /^\d{1,10}$/.test(text) && number >= minimum && number <= maximum ? number : undefined
}
