/** squeue: the state of many jobs in one call. */
import type { CommandResult } from '../../lib/exec.js'
import { FIELD_SEPARATOR, type SlurmCommand } from './command.js'
import { type ExitStatus, parseExitStatus } from './exit-status.js'

/** One job, or one element of a job array or component of a heterogeneous job. */
export interface SlurmRecord {
  readonly id: string
  /** Id that sbatch printed for the whole: of the array, of the heterogeneous job; else `id`. */
  readonly baseId: string
  /** Long state word, in capitals. */
  readonly state: string
  readonly reason: string
  readonly exitStatus: ExitStatus | undefined
  readonly workingDirectory: string | undefined
  /** The script as it was given to sbatch; undefined where it is not told. */
  readonly script?: string | undefined
  readonly name: string
}

export interface SqueueQuery {
  /** undefined: all jobs (of the user). */
  readonly ids: readonly string[] | undefined
  /** Numeric uid. The controller then sends only this user's jobs instead of everybody's; undefined: everybody's. */
  readonly userId: number | undefined
}

// -O, as -o has no exit code. The name last: it alone is free text of the job's owner.
const FIELDS = ['JobID', 'JobArrayID', 'State', 'Reason', 'exit_code', 'WorkDir', 'Command', 'Name']

export function buildSqueue(query: SqueueQuery): SlurmCommand {
  const format = FIELDS.map((field) => `${field}:${FIELD_SEPARATOR}`).join(',')
  const args = ['-h', '-a', '-t', 'all', '-O', format]
  if (query.userId !== undefined) args.push('-u', String(query.userId))
  if (query.ids !== undefined) args.push('-j', query.ids.join(','))
  return { program: 'squeue', args }
}

/**
 * The records, or undefined when squeue failed. Asked for several ids it leaves out those it does not know (exit 0); asked for
 * one, it says `Invalid job id specified` (exit 1).
 */
export function parseSqueue(result: CommandResult): readonly SlurmRecord[] | undefined {
  if (result.code !== 0) return isUnknownId(result) ? [] : undefined
  const records: SlurmRecord[] = []
  for (const line of result.stdout.split('\n')) {
    const [id, arrayId, state, reason, exit, workingDirectory, script, ...name] = line.split(FIELD_SEPARATOR)
    if (id === undefined || state === undefined || reason === undefined || name.length < 1) continue
    records.push({
      id,
      // 14_[1-3%1], 5_2, 12+0
      baseId: /^\d+/.exec(arrayId ?? '')?.[0] ?? id,
      state,
      reason,
      exitStatus: parseExitStatus(exit ?? ''),
      workingDirectory,
      script,
      name: name.join(FIELD_SEPARATOR).replace(new RegExp(`${FIELD_SEPARATOR}$`), ''),
    })
  }
  return records
}

function isUnknownId(result: CommandResult): boolean {
  return result.code === 1 && result.stdout === '' && /Invalid job id specified/i.test(result.stderr)
}

/** The uid has no name on this machine: `-u` then answers nothing, with exit 0. */
export function isUnknownUser(result: CommandResult): boolean {
  return /Invalid user:/i.test(result.stderr)
}
