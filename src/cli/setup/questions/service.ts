import { type Question, selectFor } from '../question.js'

export const serviceQuestions: readonly Question[] = [
  selectFor({
    name: 'dependencies',
    message: 'Resolve tool dependencies with Conda?',
    choices: ({ input: { facts } }) => [
      {
        value: 'conda',
        name: 'yes',
        detail: 'installed when the node first starts, packages when a tool needs them',
      },
      {
        value: 'modules',
        name: 'environment modules',
        detail: facts.modules ? 'found' : 'none found on this machine',
      },
      { value: 'none', name: 'no' },
    ],
  }),
  selectFor({
    name: 'service',
    message: 'Keep it running with',
    applies: ({ input }) => input.facts.account.isRoot,
    choices: ({ input: { facts } }) => [
      {
        value: 'supervisor',
        name: 'Supervisor',
        detail: facts.supervisor ? `${facts.supervisor.version}, runs` : '',
        unavailable: !facts.supervisor
          ? 'not installed'
          : facts.supervisor.running
            ? undefined
            : 'installed, but does not run',
      },
      {
        value: 'systemd',
        name: 'systemd',
        detail: facts.systemd ? `${facts.systemd.version}, runs` : '',
        unavailable: facts.systemd?.running ? undefined : 'does not run here',
      },
      { value: 'none', name: 'nothing, I will start it' },
    ],
  }),
]
