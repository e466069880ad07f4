import type { DependencyChoice, ManagerChoice, SlurmFacts } from '../../types.js'
import type { SetupOption } from '../option.js'
import { file, jobCount, oneOf, orNone, partitionName, textLine } from '../option-types.js'

const MANAGERS = ['slurm', 'local', 'drmaa'] as const satisfies readonly ManagerChoice[]
const DEPENDENCIES = ['conda', 'modules', 'none'] as const satisfies readonly DependencyChoice[]

/** How jobs are run and what they find. */
export const jobOptions: readonly SetupOption[] = [
  {
    name: 'manager',
    flags: [{ flag: '--manager', argument: 'slurm|local|drmaa' }],
    type: oneOf(MANAGERS),
    description:
      "what runs the jobs: the cluster, by Slurm's commands or a DRMAA library, or this machine itself",
    why: 'Slurm spreads jobs over the cluster; on this machine itself they share its CPUs with whatever else runs here.',
    defaultText: 'slurm where sinfo answers, else local',
    default: ({ facts: { slurm } }) =>
      slurm.found
        ? { value: 'slurm', found: describeSlurm(slurm) }
        : { value: 'local', found: `no Slurm: ${slurm.why}` },
  },
  {
    name: 'partition',
    flags: [{ flag: '--partition', argument: 'NAME' }],
    type: orNone(partitionName),
    description: 'partition of Slurm for jobs that ask for none',
    why: 'Leave it to Slurm unless Galaxy jobs belong elsewhere than jobs of people.',
    defaultText: 'that of Slurm',
    follows: 'manager',
    default: () => undefined,
  },
  {
    name: 'nativeSpecification',
    flags: [{ flag: '--native-specification', argument: 'TEXT' }],
    type: orNone(textLine),
    description: 'options of sbatch for every job, in place of those that Galaxy sends: "--time=60 --mem=4G"',
    why: 'Limits that Galaxy must not be able to change.',
    defaultText: 'none',
    follows: 'manager',
    default: () => undefined,
  },
  {
    name: 'concurrentJobs',
    flags: [{ flag: '--concurrent-jobs', argument: 'N' }],
    type: jobCount,
    description: 'with --manager local: how many jobs run at once; * for as many as there are CPUs',
    why: 'Fewer where tools use several CPUs or much memory; what is over waits in a queue.',
    defaultText: '*',
    default: () => ({ value: '*' }),
  },
  {
    name: 'drmaaLibrary',
    flags: [{ flag: '--drmaa-library', argument: 'FILE' }],
    type: orNone(file),
    description: 'libdrmaa of the cluster, for --manager drmaa: DRMAA_LIBRARY_PATH in local_env.sh',
    why: "Slurm's own commands need no such library.",
    defaultText: 'none',
    default: () => undefined,
  },
  {
    name: 'dependencies',
    flags: [
      {
        flag: '--conda',
        value: 'conda',
        description: 'Conda, installed below the prefix when the node first starts',
      },
      { flag: '--modules', value: 'modules', description: 'environment modules of this machine' },
      { flag: '--no-conda', value: 'none', description: 'none: jobs find what is on the PATH' },
    ],
    type: oneOf(DEPENDENCIES),
    description: 'what provides the programs that tools require',
    why: 'Galaxy tools name packages and versions; Conda installs them when a tool first asks, modules must be there already.',
    defaultText: 'conda',
    default: () => ({ value: 'conda' }),
  },
]

/** "sinfo answers: partition debug, 1 node" */
export function describeSlurm({ partitions }: Extract<SlurmFacts, { found: true }>): string {
  if (partitions.length === 0) return 'sinfo answers, with no partition'
  if (partitions.length > 3) return `sinfo answers: ${partitions.length} partitions`
  const nodesOf = (nodes: number): string => `${nodes} node${nodes === 1 ? '' : 's'}`
  const [first] = partitions
  if (first && partitions.length === 1)
    return `sinfo answers: partition ${first.name}, ${nodesOf(first.nodes)}`
  return `sinfo answers: partitions ${partitions.map(({ name, nodes }) => `${name} (${nodesOf(nodes)})`).join(', ')}`
}
