import { describeSlurm } from '../../../setup/answers/options/jobs.js'
import { inputFor, type Question, selectFor } from '../question.js'

export const jobQuestions: readonly Question[] = [
  selectFor({
    name: 'manager',
    message: 'How should jobs run?',
    choices: ({ draft, input: { facts } }) => [
      facts.slurm.found
        ? { value: 'slurm', name: 'Slurm', detail: describeSlurm(facts.slurm) }
        : { value: 'slurm', name: 'Slurm', unavailable: `not found: ${facts.slurm.why}` },
      {
        value: 'drmaa',
        name: 'DRMAA library',
        ...(draft.answers.drmaaLibrary === undefined
          ? { unavailable: 'for that, begin with magnetar setup --drmaa-library FILE' }
          : { detail: draft.answers.drmaaLibrary }),
      },
      { value: 'local', name: 'on this machine, N at a time' },
    ],
  }),
  selectFor({
    name: 'partition',
    message: 'In which partition?',
    applies: ({ draft, input: { facts } }) =>
      draft.answers.manager === 'slurm' && facts.slurm.found && facts.slurm.partitions.length > 1,
    choices: ({ input: { facts } }) => [
      { value: '', name: 'leave it to Slurm', detail: 'or to what Galaxy asks for' },
      ...(facts.slurm.found ? facts.slurm.partitions : []).map(({ name, nodes, isDefault }) => ({
        value: name,
        name,
        detail: `${nodes} node${nodes === 1 ? '' : 's'}${isDefault ? ", Slurm's default" : ''}`,
      })),
    ],
  }),
  inputFor({
    name: 'concurrentJobs',
    message: 'How many jobs at once?',
    applies: ({ draft }) => draft.answers.manager === 'local',
    source: async ({ draft, input: { facts } }) =>
      draft.answers.concurrentJobs === '*'
        ? `as many as CPUs, ${facts.cpus} here`
        : draft.reasons.concurrentJobs,
  }),
]
