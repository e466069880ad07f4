/**
 * supervisorctl: how it is asked, and what its answers mean. It prints its errors on standard output; its exit code 4 says both "no
 * such program" and "no supervisord", and before 4.0 it hardly had any: the text decides. (Tried with 4.2.5.)
 */
import { MagnetarError } from '../../lib/errors.js'
import type { SupervisorFacts } from '../types.js'
import { runService, wordsOf } from './run-service.js'

type Supervisor = Pick<SupervisorFacts, 'configFile'>

/** A program as `supervisorctl status` shows it. */
export interface ProgramStatus {
  /** STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL, UNKNOWN */
  readonly state: string
  /** "pid 17, uptime 0:01:02", "Exited too quickly (process log may have details)" */
  readonly detail: string
  /** undefined: it does not run. */
  readonly pid: number | undefined
}

/** What `supervisorctl update` would change about the program. */
export type Pending = 'available' | 'changed' | 'disappeared'

/** The whole command line, also for people to copy. */
export function supervisorctl(supervisor: Supervisor, ...args: readonly string[]): readonly string[] {
  return ['supervisorctl', '-c', supervisor.configFile, ...args]
}

/** undefined: Supervisor knows no such program. @throws MagnetarError SERVICE_FAILED when supervisord does not answer */
export async function programStatus(
  supervisor: Supervisor,
  name: string,
  signal: AbortSignal,
): Promise<ProgramStatus | undefined> {
  const argv = supervisorctl(supervisor, 'status', name)
  const result = await runService(argv, signal)
  const found = parseStatus(result.stdout, name)
  if (found !== 'no answer') return found
  throw new MagnetarError('SERVICE_FAILED', `Supervisor does not answer: ${wordsOf(result)}`, {
    fix: `See why: ${argv.join(' ')}`,
  })
}

/** Of the output of `supervisorctl status NAME`. */
export function parseStatus(output: string, name: string): ProgramStatus | undefined | 'no answer' {
  for (const line of output.split('\n')) {
    const [program, state = '', ...rest] = line.trim().split(/\s+/)
    // A program in a group of another name would be GROUP:NAME.
    if (program === name && /^[A-Z]+$/.test(state)) {
      const detail = rest.join(' ')
      const pid = /^pid (\d+)/.exec(detail)?.[1]
      return { state, detail, pid: pid === undefined ? undefined : Number(pid) }
    }
    if (line.startsWith(`${name}: ERROR (no such`)) return undefined
  }
  return 'no answer'
}

/**
 * What an update would do about the program. Supervisor reads its files for that and changes nothing.
 * @throws MagnetarError SERVICE_FAILED when one of the files cannot be read: then no update works, for no program
 */
export async function pendingChange(
  supervisor: Supervisor,
  name: string,
  signal: AbortSignal,
): Promise<Pending | undefined> {
  const argv = supervisorctl(supervisor, 'reread')
  const result = await runService(argv, signal)
  if (result.code === 0) return parsePending(result.stdout, name)
  throw new MagnetarError('SERVICE_FAILED', `Supervisor cannot read its configuration: ${wordsOf(result)}`, {
    fix: `Correct that file, until this says no error: ${argv.join(' ')}`,
  })
}

/** Of the output of `supervisorctl reread`: a line per program, "NAME: changed". */
export function parsePending(output: string, name: string): Pending | undefined {
  for (const line of output.split('\n')) {
    const found = /^(.+): (available|changed|disappeared)$/.exec(line.trim())
    if (found?.[1] === name) return found[2] as Pending
  }
  return undefined
}
