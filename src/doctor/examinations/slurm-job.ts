import { type RoundTrip, sendTinyJob } from '../../schedulers/slurm/job-probe.js'
import { asNodeUser, notTheUser } from '../as-user.js'
import { defineExamination } from '../define-examination.js'
import type { Finding } from '../types.js'
import { judgeManager } from './partitions.js'

/** How long a job may wait for its turn; a busy cluster is no defect. */
const WAIT_MS = 10_000

/** Reasons of squeue(1) that end by waiting, or that Slurm has not thought about yet. */
const PATIENT = new Set(['', 'None', 'Resources', 'Priority', 'BeginTime', 'Cleaning', 'Prolog'])

/** The round trip of a tiny job with the manager's own options. */
export const slurmJob = defineExamination({
  id: 'slurm-job',
  title: 'tiny job',
  group: 'Slurm',
  timeoutMs: WAIT_MS + 20_000,
  findings: {
    'job-refused': {
      state: 'fail',
      meaning: 'Slurm refuses a job with the options of the manager: partition, account, QOS, time, memory …',
      fix: "correct the manager's options in app.yml; the message quotes Slurm and names the command that lists what there is",
    },
    'job-waits': {
      state: 'warn',
      meaning: 'a job with the options of the manager waits for a reason that waiting does not end',
      fix: 'that of Slurm’s word for it: `squeue --start`, `scontrol show job`',
    },
    'staging-not-shared': {
      state: 'fail',
      meaning:
        'where jobs run the job directories are not there: the file system is not mounted on that node',
      fix: 'mount it on the compute nodes at the same path, or set `staging_directory` to a path that is shared',
    },
    'staging-not-writable': {
      state: 'fail',
      meaning:
        'where jobs run the user of the node cannot write to the job directories (other numbers of users, root squash, mounted read-only)',
      fix: 'the user must have the same number on all machines: compare `id USER`',
    },
    'job-failed': {
      state: 'fail',
      meaning: 'a job that does nothing did not end well',
      fix: 'the message has Slurm’s state; the log of slurmd on that node has more',
    },
  },
  async examine(facts, signal) {
    const left = (message: string): readonly Finding<'slurm-job'>[] => [
      { id: 'slurm-job', state: 'left-out', message },
    ]
    if (!facts.usesSlurm) return left('not used')
    if (!facts.sendsJob) return left('left out (--no-job)')
    const { missing, munge, controller, partitions } = await facts.slurm()
    if (missing.length > 0 || munge || !controller.up) return left('Slurm does not answer')
    const [manager] = facts.slurmManagers
    if (manager === undefined) return left('the configuration has to be right first')
    const place = { configDirectory: facts.configDirectory, isOnly: true }
    if (judgeManager(manager, partitions ?? [], place).some(({ state }) => state === 'fail'))
      return left('the partition has to be right first')
    if (asNodeUser(facts, []) === undefined) return left(notTheUser(facts))
    const found = await sendTinyJob({
      manager,
      env: facts.env,
      as: (argv) => asNodeUser(facts, argv) ?? argv,
      waitMs: WAIT_MS,
      signal,
    })
    return [judge(found, manager.stagingDirectory, facts.user?.name ?? 'USER')]
  },
})

type Id =
  | 'slurm-job'
  | 'job-refused'
  | 'job-waits'
  | 'staging-not-shared'
  | 'staging-not-writable'
  | 'job-failed'

function judge(found: RoundTrip, staging: string, user: string): Finding<Id> {
  switch (found.end) {
    case 'completed': {
      const seconds = (found.ms / 1000).toFixed(1)
      return {
        id: 'slurm-job',
        state: 'ok',
        message: `through Slurm in ${seconds} s${found.node ? `, on ${found.node}` : ''}`,
      }
    }
    case 'waits':
      return PATIENT.has(found.reason) || found.state !== 'PENDING'
        ? {
            id: 'slurm-job',
            state: 'left-out',
            message: `had no turn within ${WAIT_MS / 1000} s (${found.reason || found.state}); it is cancelled`,
          }
        : {
            id: 'job-waits',
            state: 'warn',
            message: `Slurm lets jobs wait: ${found.reason}`,
            fix: {
              text: 'Waiting does not end that. What the nodes are and lack:',
              command: 'sinfo -R; sinfo -s',
            },
          }
    case 'refused':
      return {
        id: 'job-refused',
        state: 'fail',
        message: found.why,
        fix: {
          text: 'Correct the options of the manager in app.yml, restart the server.',
          command: 'sinfo -s',
        },
      }
    case 'no directory':
      return {
        id: 'staging-not-shared',
        state: 'fail',
        message: `${staging} is not there on ${found.node ?? 'the node that ran the job'}`,
        fix: {
          text: 'Mount it there at the same path, or set staging_directory to a path that is shared. What it is here:',
          command: `findmnt -T ${staging}`,
        },
      }
    case 'not writable':
      return {
        id: 'staging-not-writable',
        state: 'fail',
        message: `${user} cannot write to ${staging} on ${found.node ?? 'the node that ran the job'}`,
        fix: {
          text: 'The user must have the same number on all machines, and the mount must allow it:',
          command: `id ${user}; srun id ${user}`,
        },
      }
    default:
      return {
        id: 'job-failed',
        state: 'fail',
        message: found.why,
        fix: {
          text: 'The log of slurmd there has more:',
          command: 'sinfo -R; scontrol show config | grep -i LogFile',
        },
      }
  }
}
