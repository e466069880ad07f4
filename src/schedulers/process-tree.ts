/** Killing a job: the process, all that it started, and what those left behind. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isSamePlace } from '../lib/same-place.js'
import { hasEnvironment, type ProcessEntry, readProcesses } from './process-table.js'

export interface KillOptions {
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number
  /** "NAME=directory" in the environment of the job's processes: finds daemons that left every other trace behind. */
  readonly marker: string
  /** Makes it SIGKILL at once. */
  readonly hurry: AbortSignal
}

export interface TreeRoot {
  readonly pid: number
  readonly startTime: number
}

const SCAN_INTERVAL_MS = 50
/**
 * So many looks in a row have to find nobody: a list of processes takes a while to read, and one that was forked meanwhile by a process
 * that then ended is not in it.
 */
const EMPTY_SCANS = 3
/** What survives SIGKILL that long hangs in the kernel (a dead file server): nobody can end it. */
const GIVE_UP_AFTER_KILL_MS = 10_000

/**
 * SIGTERM to every process of the tree, SIGKILL after the grace, scanning again until none is left.
 * Resolves with the pids that could not be ended (normally none). @throws the system's error when processes cannot be listed just now
 */
export async function killTree(root: TreeRoot, options: KillOptions): Promise<readonly number[]> {
  const tree = createJobTree(root, options.marker)
  const begun = performance.now()
  let emptyScans = 0
  for (let wait = 5; ; wait = Math.min(wait * 2, SCAN_INTERVAL_MS)) {
    const members = tree.scan(readProcesses())
    const elapsedMs = performance.now() - begun
    const gaveGrace = elapsedMs >= options.graceMs || options.hurry.aborted
    emptyScans = members.length === 0 ? emptyScans + 1 : 0
    if (emptyScans === EMPTY_SCANS || elapsedMs >= options.graceMs + GIVE_UP_AFTER_KILL_MS) {
      return members.map((member) => member.pid)
    }
    for (const member of members) {
      if (gaveGrace) send(member.pid, 'SIGKILL')
      else if (tree.firstSeen(member)) {
        send(member.pid, 'SIGTERM')
        // A stopped process acts on SIGTERM only when it goes on.
        send(member.pid, 'SIGCONT')
      }
    }
    await sleep(wait)
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Ended since the scan.
  }
}

interface JobTree {
  /** The live members now, those of earlier scans included while they live. */
  scan(processes: readonly ProcessEntry[]): ProcessEntry[]
  /** True once for each member. */
  firstSeen(entry: ProcessEntry): boolean
}

function createJobTree(root: TreeRoot, marker: string): JobTree {
  /** pid → start time of all that ever belonged to the tree. */
  const known = new Map([[root.pid, root.startTime]])
  const seen = new Set<string>()
  const unmarked = new Set<string>()
  const directory = marker.slice(marker.indexOf('=') + 1)

  const isMarked = (entry: ProcessEntry): boolean => {
    if (entry.startTime < root.startTime || unmarked.has(keyOf(entry))) return false
    const has = hasEnvironment(entry.pid, marker)
    // In a container the same path is another job's.
    if (has && isSamePlace(entry.pid, directory) !== false) return true
    if (has !== undefined) unmarked.add(keyOf(entry))
    return false
  }

  return {
    scan(processes) {
      const table = new Map(processes.map((entry) => [entry.pid, entry]))
      const ours = ancestors(table, process.pid)
      const isMember = (entry: ProcessEntry): boolean =>
        known.get(entry.pid) === entry.startTime ||
        // A group or session is the job's when its leader was: the server's own can never be meant.
        known.has(entry.group) ||
        known.has(entry.session) ||
        (known.has(entry.parent) && known.get(entry.parent) === table.get(entry.parent)?.startTime) ||
        isMarked(entry)
      const members = new Set<ProcessEntry>()
      for (let before = -1; before !== members.size; ) {
        before = members.size
        for (const entry of processes) {
          if (ours.has(entry.pid) || members.has(entry) || entry.startTime < root.startTime) continue
          if (!isMember(entry)) continue
          members.add(entry)
          known.set(entry.pid, entry.startTime)
        }
      }
      return [...members]
    },
    firstSeen(entry) {
      if (seen.has(keyOf(entry))) return false
      seen.add(keyOf(entry))
      return true
    },
  }
}

function keyOf(entry: ProcessEntry): string {
  return `${entry.pid}:${entry.startTime}`
}

/** The server itself and everything above it: never to be killed, even when it was started from within a job. */
function ancestors(table: ReadonlyMap<number, ProcessEntry>, pid: number): ReadonlySet<number> {
  const found = new Set<number>()
  for (let next = pid; next > 0 && !found.has(next); next = table.get(next)?.parent ?? 0) found.add(next)
  return found
}
