/** scontrol ping: is a controller there? 5 ms when it is or its port is closed; other commands block 4 to 10 s when it is not. */
import type { CommandResult } from '../../lib/exec.js'
import type { SlurmCommand } from './command.js'

export function buildPing(): SlurmCommand {
  return { program: 'scontrol', args: ['ping'] }
}

/** `Slurmctld(primary) at HOST is UP`, one line per controller (20.11 and later; before: `Slurmctld(primary/backup) at A/B are UP/DOWN`). */
export function parsePing(result: CommandResult): boolean {
  return result.stdout
    .split('\n')
    .some((line) => /^Slurmctld\(/.test(line.trim()) && /\b(?:is|are)\b.*\bUP\b/.test(line))
}
