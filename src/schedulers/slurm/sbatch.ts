/** sbatch: handing a job over. */
import type { CommandResult } from '../../lib/exec.js'
import { SchedulerClosed, SchedulerDown, type Submission, SubmitRejected } from '../scheduler.js'
import type { SlurmCommand } from './command.js'
import { firstError } from './down.js'
import { submitRejection } from './submit-errors.js'

/**
 * On the command line stands what no header may change (the command line wins over `#SBATCH`): no requeue, or a job would
 * run twice after a node failure; name and directory, by which a job whose id was lost is found again.
 */
export function buildSbatch(job: Submission): SlurmCommand {
  for (const value of [job.name, job.workingDirectory]) {
    if (/[\0\n\r\x1f]/.test(value))
      throw new SubmitRejected('other', 'a job name or directory has a control character')
  }
  return {
    program: 'sbatch',
    args: [
      '--parsable',
      '--no-requeue',
      `--job-name=${job.name}`,
      `--chdir=${job.workingDirectory}`,
      job.script,
    ],
    cwd: job.workingDirectory,
  }
}

/** ESLURM_PARTITION_NOT_AVAIL: somebody has drained the partition, and will open it again. (One that is down takes jobs.) */
const CLOSED = /partition not available \(inactive or drain\)/i

/**
 * The job id. `--parsable` prints `id` or `id;cluster`; a site's submit plugin may print lines of its own before it.
 * @throws SubmitRejected when Slurm will never take the job; SchedulerDown when there is no answer to go by; SchedulerClosed for a drained partition.
 */
export function parseSbatch(result: CommandResult): string {
  if (result.code !== 0 && CLOSED.test(result.stderr)) throw new SchedulerClosed(firstError(result.stderr))
  if (result.code !== 0) throw submitRejection(result)
  for (const line of result.stdout.split('\n').reverse()) {
    const id = /^([1-9]\d*)(;\S*)?$/.exec(line.trim())?.[1]
    if (id) return id
  }
  throw new SchedulerDown(`sbatch gave no job id: ${result.stdout.trim().slice(0, 200)}`)
}
