/** What `doctor`, the start and `setup` say of the cluster. */
import { CommandNotStarted, type CommandResult, runCommand } from '../../lib/exec.js'
import type { SchedulerProbe } from '../scheduler.js'
import { FIELD_SEPARATOR, type SlurmCommand } from './command.js'
import { firstError } from './down.js'
import { slurmEnvironment } from './environment.js'
import { buildPing, parsePing } from './scontrol-ping.js'

export function buildVersion(): SlurmCommand {
  return { program: 'sinfo', args: ['--version'] }
}

/** "22.05.8" of `slurm-wlm 22.05.8` (Debian) or `slurm 23.11.4`. */
export function parseVersion(result: CommandResult): string {
  return /\d+\.\d+\S*/.exec(result.stdout)?.[0] ?? 'unknown'
}

export function buildPartitions(): SlurmCommand {
  return { program: 'sinfo', args: ['-h', '-o', ['%P', '%a', '%D'].join(FIELD_SEPARATOR)] }
}

export interface Partition {
  readonly name: string
  readonly isDefault: boolean
  readonly nodes: number
}

/** The partitions that are up, in sinfo's order. Its answer has a line per partition and node group. */
export function readPartitions(stdout: string): Partition[] {
  const found = new Map<string, Partition>()
  for (const line of stdout.split('\n')) {
    const [partition = '', available, count] = line.split(FIELD_SEPARATOR)
    const name = partition.replace(/\*$/, '')
    if (!name || available !== 'up') continue
    const nodes = (found.get(name)?.nodes ?? 0) + Number(count)
    found.set(name, { name, isDefault: partition.endsWith('*'), nodes })
  }
  return [...found.values()]
}

export function summarize(version: string, partitions: CommandResult): SchedulerProbe {
  const summary = `slurm ${version}`
  if (partitions.code !== 0) return { ok: false, summary, detail: `sinfo: ${firstError(partitions.stderr)}` }
  const up = readPartitions(partitions.stdout)
  if (up.length === 0) return { ok: false, summary, detail: NONE_UP }
  const parts = up
    .slice(0, 5)
    .map(({ name, nodes }) => `partition ${name}, ${nodes} node${nodes === 1 ? '' : 's'}`)
  if (up.length > 5) parts.push(`and ${up.length - 5} more partitions`)
  return { ok: true, summary: `slurm ${version}, ${parts.join(', ')}` }
}

const NONE_UP = 'No partition is up for this user; see sinfo -s.'

export type FoundSlurm =
  | { readonly found: true; readonly version: string; readonly partitions: readonly Partition[] }
  /** A sentence: there is none, or what it said. */
  | { readonly found: false; readonly why: string }

/** The Slurm that jobs could be sent to from here. A controller that does not answer within `timeoutMs` is none. */
export async function findSlurm(signal: AbortSignal, timeoutMs: number): Promise<FoundSlurm> {
  const options = { timeoutMs, signal, env: slurmEnvironment(process.env) }
  const run = ({ program, args }: SlurmCommand): Promise<CommandResult> => runCommand(program, args, options)
  try {
    // sinfo itself takes four seconds and more to see that the controller is away.
    const [version, ping] = await Promise.all([run(buildVersion()), run(buildPing())])
    if (ping.timedOut)
      return { found: false, why: `scontrol ping did not answer within ${timeoutMs / 1000} s` }
    if (!parsePing(ping))
      return { found: false, why: `scontrol ping says: ${firstError(`${ping.stdout}\n${ping.stderr}`)}` }
    const partitions = await run(buildPartitions())
    if (partitions.timedOut) return { found: false, why: `sinfo did not answer within ${timeoutMs / 1000} s` }
    if (partitions.code !== 0) return { found: false, why: `sinfo says: ${firstError(partitions.stderr)}` }
    const up = readPartitions(partitions.stdout)
    return up.length === 0
      ? { found: false, why: NONE_UP }
      : { found: true, version: parseVersion(version), partitions: up }
  } catch (error) {
    if (!(error instanceof CommandNotStarted)) throw error
    const why = error.errno === 'ENOENT' ? `there is no ${error.command} on the PATH` : error.message
    return { found: false, why }
  }
}
