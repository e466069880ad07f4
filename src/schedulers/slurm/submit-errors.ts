/** Why sbatch refused a job: Slurm's texts (slurm_errno.c; the option parser's), sorted for people. */
import type { CommandResult } from '../../lib/exec.js'
import { SubmitRejected } from '../scheduler.js'

const KINDS: readonly (readonly [SubmitRejected['kind'], RegExp])[] = [
  // The first that matches. Account before partition: "Invalid account or account/partition combination specified".
  ['account', /account/i],
  [
    'script',
    /does not look like a batch script|Batch script is empty|Unable to open file|line breaks|script .*(too large|exceeds)|Pathname of a file.*too long/i,
  ],
  ['memory', /memory|--mem\b/i],
  ['qos', /QOS/i],
  ['time', /time limit|--time\b|time-min|deadline|time specification|walltime/i],
  ['node', /node|cpu|processor|core|gres|feature|constraint|reservation|tasks?\b/i],
  ['partition', /partition/i],
]
// These mention accounting, but it is the QOS or association limit that refuses.
const QOS_LIMIT = /accounting\/QOS policy|Requested account has breached requested QOS|QOS/i
const PARTITION = /partition/i

const HINTS: Readonly<Record<SubmitRejected['kind'], string>> = {
  partition: 'sinfo -s lists the partitions',
  account: 'sacctmgr show assoc user=$USER lists the accounts',
  qos: 'sacctmgr show qos, and sacctmgr show assoc, list the limits',
  memory: 'sinfo -o "%P %m" lists the memory of the nodes in MB',
  node: 'sinfo -o "%P %D %c %G %f" lists what the nodes have',
  time: 'sinfo -o "%P %l" lists the time limits; a time is minutes, HH:MM:SS or D-HH:MM:SS',
  script: 'the job script must begin with #! and be readable',
  other: 'see man sbatch, ERRORS',
}

/** The rejection for a non-zero exit of sbatch. Its message quotes Slurm. */
export function submitRejection(result: CommandResult): SubmitRejected {
  const text = quote(`${result.stderr}\n${result.stdout}`)
  const kind = kindOf(text)
  return new SubmitRejected(kind, `Slurm refused the job: ${text} (${HINTS[kind]})`)
}

/** What a refusal of Slurm is about. */
export function kindOf(text: string): SubmitRejected['kind'] {
  if (QOS_LIMIT.test(text)) return 'qos'
  // "Requested nodes not in this partition" is about the partition, "Requested node configuration is not available" is not.
  if (PARTITION.test(text) && !/account/i.test(text)) return 'partition'
  return KINDS.find(([, pattern]) => pattern.test(text))?.[0] ?? 'other'
}

/** sbatch's sentences in one line, without prefixes, at most 500 characters. */
function quote(text: string): string {
  const lines = text
    .split('\n')
    .map((line) =>
      line
        .replace(/^sbatch: (error: |fatal: )?/, '')
        .replace(/^Batch job submission failed: /, '')
        .trim(),
    )
    .filter((line) => line !== '' && !line.startsWith('Try "sbatch --help"'))
  return [...new Set(lines)].join('; ').slice(0, 500) || 'sbatch gave no message'
}
