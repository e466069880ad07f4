/** sacct: the end of jobs which squeue has forgotten (MinJobAge). With slurmdbd, or `-c` from the jobcomp/filetxt log. */
import type { CommandResult } from '../../lib/exec.js'
import { FIELD_SEPARATOR, type SlurmCommand } from './command.js'
import { parseExitStatus } from './exit-status.js'
import type { SlurmRecord } from './squeue.js'

export type AccountingSource = 'slurmdbd' | 'jobcomp'

export function buildSacct(source: AccountingSource, ids: readonly string[]): SlurmCommand {
  return {
    program: 'sacct',
    args: [
      // -c and -X exclude each other in some versions; the completion log has no steps anyway.
      ...(source === 'jobcomp' ? ['-c'] : ['-X']),
      '-n',
      '-P',
      `--delimiter=${FIELD_SEPARATOR}`,
      '-j',
      ids.join(','),
      '-o',
      'JobID,State,ExitCode,JobName',
    ],
  }
}

/** The records; 'unavailable' when this site keeps none of that kind (never to be asked again), undefined for a passing failure. */
export function parseSacct(result: CommandResult): readonly SlurmRecord[] | 'unavailable' | undefined {
  if (
    /accounting storage is disabled|not (configured|running)|SLURM_ACCOUNTING|is disabled|JobComp.* (none|not)|Error opening job completion|Permission denied|unrecognized option/i.test(
      result.stderr,
    )
  ) {
    return 'unavailable'
  }
  if (result.code !== 0) return undefined
  const records: SlurmRecord[] = []
  for (const line of result.stdout.split('\n')) {
    const [id, state, exit, ...name] = line.split(FIELD_SEPARATOR)
    // "5.batch" is a step. The completion log may have lines it cannot read itself, without a state.
    if (!id || !state || id.includes('.')) continue
    records.push({
      id,
      baseId: /^\d+/.exec(id)?.[0] ?? id,
      // "CANCELLED by 1000"
      state: state.split(' ')[0] ?? state,
      reason: /^CANCELLED by (\d+)/.exec(state)?.[0].slice('CANCELLED '.length) ?? 'None',
      exitStatus: parseExitStatus(exit ?? ''),
      workingDirectory: undefined,
      name: name.join(FIELD_SEPARATOR),
    })
  }
  return records
}
