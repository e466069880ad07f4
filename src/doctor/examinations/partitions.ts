import type { ManagerConfig } from '../../config/types.js'
import { quoteForShell } from '../../lib/shell.js'
import type { SlurmPartition } from '../../schedulers/slurm/health-probe.js'
import { defineExamination } from '../define-examination.js'
import type { Finding, Fix } from '../types.js'

/** The partitions that managers name. */
export const partitions = defineExamination({
  id: 'partitions',
  title: 'partition',
  group: 'Slurm',
  timeoutMs: 15_000,
  findings: {
    'partition-unknown': {
      state: 'fail',
      meaning:
        'a manager sends its jobs to a partition that Slurm does not have, or not for this user: each is refused',
      fix: '`magnetar config set manager.job_partition NAME` with one of those that are listed, then restart the server',
    },
    'partition-down': {
      state: 'fail',
      meaning: 'the partition takes no jobs, or does not run them (down, drain, inactive)',
      fix: '`scontrol update partitionname=NAME state=up`, as an administrator of Slurm',
    },
    'partition-empty': {
      state: 'fail',
      meaning: 'no node of the partition takes jobs: all are down or drained',
      fix: '`scontrol update nodename=NODES state=resume`, as an administrator; `sinfo -R` says why they are so',
    },
    'partition-none': {
      state: 'warn',
      meaning:
        'a manager names no partition and Slurm has no default one: Galaxy would have to name one for each job',
      fix: '`magnetar config set manager.job_partition NAME`, then restart the server',
    },
  },
  async examine({ usesSlurm, slurm, slurmManagers, config, configDirectory }) {
    if (!usesSlurm) return [{ id: 'partitions', state: 'left-out', message: 'not used' }]
    const known = (await slurm()).partitions
    if (known === undefined)
      return [{ id: 'partitions', state: 'left-out', message: 'Slurm does not answer' }]
    const isOnly = config?.managers.length === 1
    const findings = slurmManagers.flatMap((manager) =>
      judgeManager(manager, known, { configDirectory, isOnly }),
    )
    if (findings.length > 0) return findings
    const names = new Set(slurmManagers.flatMap((manager) => partitionsOf(manager) ?? []))
    const fallback = known.find(({ isDefault }) => isDefault)?.name
    const shown = names.size > 0 ? [...names].join(', ') : `${fallback ?? known[0]?.name}, the default`
    return [{ id: 'partitions', state: 'ok', message: shown }]
  },
})

type Id = 'partition-unknown' | 'partition-down' | 'partition-empty' | 'partition-none'

interface Place {
  readonly configDirectory: string
  /** Written as `manager:`, perhaps. */
  readonly isOnly: boolean
}

/** What is wrong with where a manager sends its jobs. */
export function judgeManager(
  manager: ManagerConfig,
  known: readonly SlurmPartition[],
  place: Place,
): Finding<Id>[] {
  const wanted = partitionsOf(manager)
  const fallback = known.find(({ isDefault }) => isDefault)
  if (wanted === undefined) {
    if (fallback) return judgePartition(fallback)
    return [
      {
        id: 'partition-none',
        state: 'warn',
        message: `manager ${manager.name} names no partition, and Slurm has no default one`,
        fix: change(manager, known[0]?.name ?? 'NAME', place),
      },
    ]
  }
  // Of a list Slurm takes the first that fits.
  const found = wanted.flatMap((name) => known.find((each) => each.name === name) ?? [])
  const unknown = wanted.filter((name) => !known.some((each) => each.name === name))
  if (unknown.length > 0) {
    const others = known.map(({ name }) => name).join(', ') || 'none'
    return [
      {
        id: 'partition-unknown',
        state: 'fail',
        message: `manager ${manager.name} sends its jobs to partition ${unknown.join(', ')}, which Slurm does not have (it has ${others})`,
        fix: change(manager, fallback?.name ?? known[0]?.name ?? 'NAME', place),
      },
    ]
  }
  const problems = found.map(judgePartition)
  return problems.some((each) => each.length === 0) ? [] : problems.flat()
}

function judgePartition({ name, availability, nodes, usable }: SlurmPartition): Finding<Id>[] {
  if (availability !== 'up')
    return [
      {
        id: 'partition-down',
        state: 'fail',
        message: `partition ${name} is ${availability}`,
        fix: {
          text: 'As an administrator of Slurm:',
          command: `scontrol update partitionname=${name} state=up`,
        },
      },
    ]
  if (usable > 0) return []
  return [
    {
      id: 'partition-empty',
      state: 'fail',
      message: `none of the ${nodes} node${nodes === 1 ? '' : 's'} of partition ${name} takes jobs`,
      fix: {
        text: '"sinfo -R" says why. As an administrator of Slurm, when that is mended:',
        command: `scontrol update nodename="$(sinfo -h -p ${name} -o %N)" state=resume`,
      },
    },
  ]
}

const NATIVE = /(?:^|\s)(?:-p\s*|--partition(?:=|\s+))(\S+)/

/** The last word is that of the native specification, as in the job's script. */
function partitionsOf({ jobParameters, nativeSpecification }: ManagerConfig): string[] | undefined {
  const native = NATIVE.exec(nativeSpecification ?? '')?.[1]
  const own = jobParameters.partition ?? jobParameters['-p'] ?? jobParameters['--partition']
  return (native ?? own)?.split(',').filter((name) => name !== '')
}

function change(manager: ManagerConfig, name: string, { configDirectory, isOnly }: Place): Fix {
  const where = isOnly && manager.name === '_default_' ? 'manager' : `managers.${manager.name}`
  const native = manager.nativeSpecification
  const at = quoteForShell(configDirectory)
  const value = native === undefined ? undefined : NATIVE.exec(native)?.[1]
  const command =
    native !== undefined && value !== undefined
      ? `magnetar config set --config ${at} ${where}.native_specification -- ${quoteForShell(native.replace(value, name))}`
      : `magnetar config set --config ${at} ${where}.job_partition ${quoteForShell(name)}`
  return { text: 'Then restart the server:', command }
}
