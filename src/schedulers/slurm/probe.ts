/** What `doctor` and the start say of the cluster. */
import type { CommandResult } from '../../lib/exec.js'
import type { SchedulerProbe } from '../scheduler.js'
import { FIELD_SEPARATOR, type SlurmCommand } from './command.js'
import { firstError } from './down.js'

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

/** One line per partition and node group. */
export function summarize(version: string, partitions: CommandResult): SchedulerProbe {
  if (partitions.code !== 0) {
    return { ok: false, summary: `slurm ${version}`, detail: `sinfo: ${firstError(partitions.stderr)}` }
  }
  const nodes = new Map<string, number>()
  for (const line of partitions.stdout.split('\n')) {
    const [partition = '', available, count] = line.split(FIELD_SEPARATOR)
    const name = partition.replace(/\*$/, '')
    if (name && available === 'up') nodes.set(name, (nodes.get(name) ?? 0) + Number(count))
  }
  if (nodes.size === 0) {
    return {
      ok: false,
      summary: `slurm ${version}`,
      detail: 'No partition is up for this user; see sinfo -s.',
    }
  }
  const parts = [...nodes]
    .slice(0, 5)
    .map(([name, count]) => `partition ${name}, ${count} node${count === 1 ? '' : 's'}`)
  if (nodes.size > 5) parts.push(`and ${nodes.size - 5} more partitions`)
  return { ok: true, summary: `slurm ${version}, ${parts.join(', ')}` }
}
