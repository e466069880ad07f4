import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What can go wrong: faults.c counts the calls of each of these. */
export const OPERATIONS = [
  'open',
  'create',
  'write',
  'sync',
  'rename',
  'unlink',
  'mkdir',
  'rmdir',
  'link',
  'symlink',
  'truncate',
  'fork',
] as const
export type Operation = (typeof OPERATIONS)[number]

const ERRNOS = { ENOENT: 2, EIO: 5, EAGAIN: 11, EMFILE: 24, ENOSPC: 28 } as const
export type Errno = keyof typeof ERRNOS

/** `often`: a series of calls fails, for some seconds at most, as on a disk that stays full for a while. */
export type Effect =
  | Errno
  | 'ENOSPC often'
  | 'EMFILE often'
  | 'short'
  | 'delay'
  | 'kill before'
  | 'kill after'
const ACTIONS = { short: 2, delay: 3, 'kill before': 4, 'kill after': 5 } as const
const FAIL = 1
const DELAY_MS = 700
const OFTEN = 40

/** One thing that goes wrong once: at the `at`-th call (from 1) of one of these operations. */
export interface Fault {
  readonly operations: readonly Operation[]
  readonly at: number
  readonly effect: Effect
  /** Whose calls count: the server's (default), those of its jobs and of what starts them, or both. */
  readonly scope?: 'server' | 'jobs' | 'all'
  /** A kill takes the jobs too, as a loss of power does. */
  readonly power?: boolean
}

/** Places in struct state of faults.c. */
const WORD = {
  server: 0,
  armed: 1,
  mask: 2,
  at: 3,
  action: 4,
  value: 5,
  times: 6,
  scope: 7,
  counter: 8,
  met: 9,
  logs: 10,
  lock: 11,
  over: 12,
  blobs: 13,
  power: 14,
  until: 15,
  counts: 16,
  life: 31,
}
const WORDS = 32
const WHAT_BYTES = 512
const SCOPES = { server: 1, jobs: 2, all: 3 }

/** Steers the fault library in all processes of one server and its jobs. */
export interface FaultLayer {
  /** For the server that is started next. */
  readonly env: Readonly<Record<string, string>>
  /** Where the log of changes is. */
  readonly logDirectory: string
  /** The next processes find that the machine was started anew. */
  reboot(): void
  /** Before each start: the first process with `env` as it is then is the server. Nothing is armed then. */
  reset(options?: { readonly logs?: boolean }): void
  arm(fault: Fault): void
  /** Counts the calls of the server and lets all of them pass. */
  count(): void
  /** @returns what was met meanwhile */
  disarm(): { readonly met: number; readonly what: string; readonly counts: Record<Operation, number> }
  /** Whether the armed fault has been met. */
  met(): boolean
  close(): void
}

/** Why faults cannot be put below a program here; undefined: they can. */
export function missingCompiler(): string | undefined {
  if (process.platform !== 'linux') return 'faults are put below programs of Linux only'
  const { error } = spawnSync('cc', ['--version'], { stdio: 'ignore', timeout: 60_000 })
  return error && 'no C compiler (cc); run "npm run peers"'
}

/** Compiles the fault library into `directory`. Without a compiler: why not, as a sentence for `needs`. */
export function compileFaults(
  directory: string,
): { readonly library: string; readonly missing: undefined } | { readonly missing: string } {
  const missing = missingCompiler()
  if (missing !== undefined) return { missing }
  const library = join(directory, 'faults.so')
  const source = fileURLToPath(new URL('faults.c', import.meta.url))
  const args = ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']
  const { status, error, stderr } = spawnSync('cc', args, { encoding: 'utf8', timeout: 60_000 })
  if (status === 0) return { library, missing: undefined }
  throw new Error(`faults.c cannot be compiled: ${error?.message ?? stderr}`)
}

/**
 * @param directory for its files, apart from the server's
 * @param root what goes wrong is below this; a path without links
 */
export function createFaultLayer(library: string, directory: string, root: string): FaultLayer {
  const logDirectory = join(directory, 'log')
  mkdirSync(logDirectory, { recursive: true })
  const file = join(directory, 'faults')
  writeFileSync(file, Buffer.alloc(4096))
  const fd = openSync(file, 'r+')
  const put = (word: number, value: number): void => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32LE(value)
    writeSync(fd, bytes, 0, 4, word * 4)
  }
  const get = (word: number): number => {
    const bytes = Buffer.alloc(4)
    readSync(fd, bytes, 0, 4, word * 4)
    return bytes.readInt32LE()
  }
  let life = 0
  function clear(): void {
    put(WORD.armed, 0)
    for (const word of [WORD.at, WORD.counter, WORD.met, WORD.power, WORD.until]) put(word, 0)
    writeSync(fd, Buffer.alloc(WORDS * 4 - WORD.counts * 4 + WHAT_BYTES), 0, undefined, WORD.counts * 4)
    put(WORD.life, life)
  }
  function start(fault: Fault, mask: number): void {
    clear()
    const { effect } = fault
    put(WORD.mask, mask)
    put(WORD.at, fault.at)
    const [first = '', often] = effect.split(' ')
    const errno = first in ERRNOS ? ERRNOS[first as Errno] : undefined
    put(WORD.action, errno === undefined ? ACTIONS[effect as keyof typeof ACTIONS] : FAIL)
    put(WORD.value, errno ?? DELAY_MS)
    put(WORD.times, errno !== undefined && often ? OFTEN : 1)
    put(WORD.scope, SCOPES[fault.scope ?? 'server'])
    put(WORD.power, fault.power ? 1 : 0)
    put(WORD.armed, 1)
  }
  return {
    get env() {
      return {
        LD_PRELOAD: library,
        MAGNETAR_FAULTS: file,
        MAGNETAR_ROOT: root,
        MAGNETAR_LOG: `${logDirectory}/`,
        MAGNETAR_LIFE: String(life),
      }
    },
    logDirectory,
    reboot: () => writeFileSync(`${file}.boot`, `${randomUUID()}\n`),
    reset({ logs = false } = {}) {
      life += 1
      clear()
      put(WORD.over, 0)
      put(WORD.lock, 0)
      put(WORD.logs, logs ? 1 : 0)
      put(WORD.server, 0)
    },
    arm: (fault) =>
      start(
        fault,
        fault.operations.reduce((mask, operation) => mask | (1 << OPERATIONS.indexOf(operation)), 0),
      ),
    count: () => start({ operations: OPERATIONS, at: 0, effect: 'delay', scope: 'all' }, -1),
    disarm() {
      put(WORD.armed, 0)
      const what = Buffer.alloc(WHAT_BYTES)
      readSync(fd, what, 0, WHAT_BYTES, WORDS * 4)
      const counts = Object.fromEntries(
        OPERATIONS.map((operation, at) => [operation, get(WORD.counts + at)]),
      ) as Record<Operation, number>
      return { met: get(WORD.met), what: what.toString('utf8').split('\0', 1)[0] ?? '', counts }
    },
    met: () => get(WORD.met) > 0,
    close: () => closeSync(fd),
  }
}
