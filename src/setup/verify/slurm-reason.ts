import type { QueueReason } from '../../check/follow-job.js'
import { runCommand } from '../../lib/exec.js'

const SQUEUE_TIMEOUT_MS = 10_000
/** As in src/schedulers/slurm/command.ts: in no name, reason or path. */
const SEPARATOR = '\x1f'

/** Reasons of squeue(1) that do not end by waiting, with what to do. */
const HOPELESS: Readonly<Record<string, string>> = {
  AccountNotAllowed:
    'the account may not use this partition; set native_specification or job_account in app.yml',
  BadConstraints: 'no node can ever give what native_specification asks for',
  InvalidAccount: 'the account does not exist; see: sacctmgr show associations',
  InvalidQOS: 'the QOS does not exist; see: sacctmgr show qos',
  JobHeldAdmin: 'jobs of this user are held by an administrator',
  JobHeldUser: 'it was submitted held; look at native_specification in app.yml',
  PartitionDown: 'the partition is down; as an administrator: scontrol update partitionname=NAME state=up',
  PartitionInactive:
    'the partition is inactive; as an administrator: scontrol update partitionname=NAME state=up',
  PartitionNodeLimit: 'it asks for more nodes than the partition has or allows',
  PartitionTimeLimit: 'it asks for more time than the partition allows; set job_time in app.yml',
  QOSNotAllowed: 'the QOS may not be used in this partition',
}

const BUSY: Readonly<Record<string, string>> = {
  Resources: 'the cluster is busy',
  Priority: 'other jobs go first',
  None: 'Slurm has not looked at it yet',
}

/** Why Slurm lets the job of this id wait, as squeue says; undefined: it is not in the queue, or Slurm does not answer. */
export async function whySlurmWaits(jobId: string, signal: AbortSignal): Promise<QueueReason | undefined> {
  const args = ['-h', '-t', 'PENDING', '-o', ['%i', '%P', '%r', '%Z'].join(SEPARATOR)]
  const result = await runCommand('squeue', args, { timeoutMs: SQUEUE_TIMEOUT_MS, signal }).catch(
    () => undefined,
  )
  signal.throwIfAborted()
  return result?.code === 0 ? parseReason(result.stdout, jobId) : undefined
}

/** The job is known by its working directory, whatever name it was given. */
export function parseReason(output: string, jobId: string): QueueReason | undefined {
  for (const line of output.split('\n')) {
    const [id = '', partition, reason = '', directory = ''] = line.split(SEPARATOR)
    if (!directory.split('/').includes(jobId)) continue
    const word = reason.split(',')[0]?.trim() ?? ''
    const where = `Slurm job ${id} waits in partition ${partition}`
    const hopeless = HOPELESS[word]
    if (hopeless !== undefined)
      return { hopeless: true, text: `${where} and will not run: ${hopeless} (${word})` }
    return { hopeless: false, text: `${where}: ${BUSY[word] ?? `see scontrol show job ${id}`} (${reason})` }
  }
  return undefined
}
