/** scancel: ending jobs. */
import type { CommandResult } from '../../lib/exec.js'
import type { SlurmCommand } from './command.js'
import { firstError } from './down.js'

export function buildScancel(id: string): SlurmCommand {
  return { program: 'scancel', args: [id] }
}

// Nothing left to cancel. (22.05 exits 0 without a word for unknown and finished jobs; others say so and exit 1.)
const OVER = /already completing or completed|Invalid job id specified|Job is already (completed|finished)/i

/** What went wrong, for the log; undefined when the job is, or already was, cancelled. */
export function parseScancel(result: CommandResult): string | undefined {
  if (result.code === 0 || OVER.test(result.stderr)) return undefined
  return firstError(result.stderr)
}
