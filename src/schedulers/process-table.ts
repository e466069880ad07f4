/**
 * What /proc knows of processes: identities that cannot be mistaken, and who belongs to a job. Linux only. All of it throws the system's
 * error when /proc cannot be read just now (no descriptors or memory left): then nothing may be concluded.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { errnoOf } from '../lib/errors.js'
import { isSamePlace } from '../lib/same-place.js'
import type { ProcessIdentity } from './started-file.js'

export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Clock ticks since boot. */
  readonly startTime: number
}

/** Of the server or the machine, not of the process that is looked at. */
const LACKING = new Set<string | undefined>(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'])

// A dead process that nobody has waited for still has an entry.
const DEAD_STATES = new Set(['Z', 'X', 'x'])

/** One process, undefined when it is not there or dead (also when only its zombie is left). */
export function readProcess(pid: number): ProcessEntry | undefined {
  const stat = readProc(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // The name stands in parentheses and may hold any character, parentheses too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state = 'X', parent, group, session] = fields
  if (DEAD_STATES.has(state)) return undefined
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime: Number(fields[19]),
  }
}

/** Every live process. Synchronous: one read of /proc per process, about 15 µs each. */
export function readProcesses(): ProcessEntry[] {
  const entries: ProcessEntry[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const entry = readProcess(pid)
    if (entry) entries.push(entry)
  }
  return entries
}

let ownBootId: string | undefined

/** Identity of this boot; "" where the kernel tells none. */
export function bootId(): string {
  ownBootId ??= readProc('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
  return ownBootId
}

/** Whether exactly this process lives: same boot, same pid, same start. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false
  return readProcess(identity.pid)?.startTime === Number(identity.startTime)
}

/** The identity of a live process, undefined when there is none of that pid. */
export function identify(pid: number): ProcessIdentity | undefined {
  const entry = readProcess(pid)
  return entry && { pid, startTime: String(entry.startTime), bootId: bootId() }
}

/**
 * The bash that runs `script`, looked for by its command line: for a J/started without readable content. Never one of a container, where
 * the same path is another job's.
 */
export function findScriptProcess(script: string): ProcessIdentity | undefined {
  for (const { pid } of readProcesses()) {
    const isOurs = commandLine(pid).slice(0, 2).includes(script) && isSamePlace(pid, script) !== false
    if (isOurs) return identify(pid)
  }
  return undefined
}

/**
 * Whether the process was started with the environment entry `marker` ("NAME=value"). undefined: it has none that could be read; the
 * kernel shows none either while a process changes its program.
 */
export function hasEnvironment(pid: number, marker: string): boolean | undefined {
  const environment = readProc(`/proc/${pid}/environ`)
  return environment ? `\0${environment}`.includes(`\0${marker}\0`) : undefined
}

/** The words that a live process was started with; empty when it cannot be read. */
export function commandLine(pid: number): readonly string[] {
  return readProc(`/proc/${pid}/cmdline`)?.split('\0').slice(0, -1) ?? []
}

/** Where a live process works; undefined when it cannot be read. */
export function workingDirectoryOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (LACKING.has(errnoOf(error))) throw error
    // Gone in between, or another user's.
    return undefined
  }
}
