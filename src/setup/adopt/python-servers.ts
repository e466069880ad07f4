import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isSamePlace } from '../../lib/same-place.js'
import { isBelow } from './python-installation.js'

/** A process of a Python Pulsar's server: the launcher's shell, the server, gunicorn's workers. Never a job. */
export interface PythonServer {
  readonly pid: number
  /** Tells it from another process that gets the same number later. */
  readonly startedTicks: string
}

/** Whose servers are looked for. */
export interface ServerPlace {
  readonly configDirectories: readonly string[]
  /** Only servers of this user; undefined: of anybody. */
  readonly uid?: number | undefined
}

/** A job's command is a script of its own; these are what Pulsar's programs are called. */
const PROGRAM = /^(pulsar|pulsar-serve|pulsar-main|paster|uwsgi|gunicorn:?)$/
const PAUSE_MS = 100

/**
 * The server processes that read one of these directories. As anybody but root only one's own are found. Those of a container, where
 * the same path is another directory, are never among them.
 */
export async function findPythonServers(place: ServerPlace): Promise<PythonServer[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(pids.map((pid) => readServer(Number(pid), place)))
  return found.flat()
}

async function readServer(pid: number, place: ServerPlace): Promise<PythonServer[]> {
  try {
    const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
    // An interpreter and its options stand before the program.
    const program = argv.slice(0, 3).find((word) => PROGRAM.test(basename(word.split(' ')[0] ?? '')))
    if (program === undefined || /\/lib\/(current|releases)\//.test(argv.join(' '))) return []
    const [environment, cwd, startedTicks, { uid }] = await Promise.all([
      readFile(`/proc/${pid}/environ`, 'utf8'),
      readlink(`/proc/${pid}/cwd`),
      readStart(pid),
      stat(`/proc/${pid}`),
    ])
    if (place.uid !== undefined && place.uid !== uid) return []
    const config = /(?:^|\0)PULSAR_CONFIG_DIR=([^\0]+)/.exec(environment)?.[1]
    const paths = [...argv.filter((word) => word.includes('/')), ...(config === undefined ? [] : [config])]
    const named = paths.map((word) => resolve(cwd, word))
    const isOurs = place.configDirectories.some(
      (directory) =>
        (cwd === directory || named.some((path) => isBelow(path, directory))) && isSamePlace(pid, directory),
    )
    return isOurs && startedTicks !== undefined ? [{ pid, startedTicks }] : []
  } catch {
    // Gone in between, or another user's.
    return []
  }
}

/**
 * Ends what is left of servers that the service manager has stopped: of the Python launcher it knows the shell only, and the server
 * itself goes on and holds the port. TERM; KILL after `limitMs`.
 * @returns how many were left
 */
export async function endPythonServers(servers: readonly PythonServer[], limitMs: number): Promise<number> {
  const left = await stillThere(servers)
  for (const { pid } of left) signal(pid, 'SIGTERM')
  const deadlineMs = performance.now() + limitMs
  let there = left
  while (there.length > 0) {
    await delay(PAUSE_MS)
    there = await stillThere(there)
    if (performance.now() > deadlineMs) for (const { pid } of there) signal(pid, 'SIGKILL')
  }
  return left.length
}

async function stillThere(servers: readonly PythonServer[]): Promise<PythonServer[]> {
  const starts = await Promise.all(servers.map(({ pid }) => readStart(pid)))
  return servers.filter(({ startedTicks }, at) => starts[at] === startedTicks)
}

/** When a process began, in ticks since the machine did; undefined: it has ended; a zombie has. */
export async function readStart(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields?.[0] === 'Z' ? undefined : fields?.[19]
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}
