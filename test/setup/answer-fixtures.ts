import { AnswersError, type ResolveInput, resolveAnswers } from '../../src/setup/answers/answers.js'
import { type Given, NOTHING_GIVEN } from '../../src/setup/answers/given.js'
import type { Machine, OptionName } from '../../src/setup/answers/option.js'
import type { AnswerKey, Facts, Manifest } from '../../src/setup/types.js'

/** root on a Debian with Slurm and Supervisor; nothing is asked of this machine. */
export const rootFacts: Facts = {
  os: { name: 'Debian 12', arch: 'x64' },
  account: { uid: 0, user: 'root', group: 'root', home: '/root', isRoot: true },
  slurm: {
    found: true,
    version: '22.05.8',
    partitions: [
      { name: 'debug', isDefault: true, nodes: 1 },
      { name: 'big', isDefault: false, nodes: 20 },
    ],
  },
  supervisor: {
    version: '4.2.5',
    running: true,
    configFile: '/etc/supervisor/supervisord.conf',
    programsDirectory: '/etc/supervisor/conf.d',
    extension: '.conf',
  },
  systemd: undefined,
  modules: false,
  node: { path: '/usr/bin/node', version: '20.20.2' },
  cpus: 4,
}

/** Somebody without rights on a machine with nothing. */
export const userFacts: Facts = {
  ...rootFacts,
  account: { uid: 1000, user: 'ann', group: 'users', home: '/home/pulsar/ann', isRoot: false },
  slurm: { found: false, why: 'there is no sinfo on the PATH' },
  supervisor: undefined,
}

/** A machine with nothing on it but what `more` says. */
export function fakeMachine(more: Partial<Machine> = {}): Machine {
  return {
    lookUpUser: async () => undefined,
    isPortFree: async () => true,
    nextFreePort: async (_host, from) => from,
    whyOccupied: async () => undefined,
    whyNoDirectory: async () => undefined,
    mayCreate: async () => true,
    whyUnreadable: async () => undefined,
    configuredPort: async () => undefined,
    addresses: ['192.0.2.7'],
    ownPrefix: undefined,
    ...more,
  }
}

export interface Case {
  readonly flags?: Partial<Record<OptionName, string>>
  readonly environment?: Partial<Record<OptionName, string>>
  readonly answersFile?: Partial<Record<OptionName, string>>
  readonly wizard?: Partial<Record<OptionName, string>>
  readonly facts?: Facts
  readonly machine?: Partial<Machine>
  /** The answers of the last setup. */
  readonly last?: Partial<Record<AnswerKey, unknown>>
  readonly force?: boolean
}

/** What resolving is asked with; the flags are spelled as on the command line. */
export function resolveInput(given: Case): ResolveInput {
  const layer = (values: Partial<Record<OptionName, string>> = {}, spell: (name: string) => string) =>
    new Map<OptionName, Given>(
      Object.entries(values).map(([name, text]) => [
        name as OptionName,
        { text, spelled: spell(name), directory: '/work' },
      ]),
    )
  const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  const manifest: Manifest | undefined = given.last && {
    version: 1,
    answers: given.last,
    files: {},
    madeUser: false,
  }
  return {
    given: {
      ...NOTHING_GIVEN,
      flags: layer(given.flags, (name) => `--${kebab(name)}`),
      environment: layer(given.environment, (name) => `MAGNETAR_SETUP_${name.toUpperCase()}`),
      answersFile: layer(given.answersFile, (name) => `node.yml: ${name}`),
      wizard: layer(given.wizard, () => 'your answer'),
    },
    problems: [],
    facts: given.facts ?? rootFacts,
    machine: fakeMachine(given.machine),
    force: given.force ?? false,
    readManifest: async () => manifest,
  }
}

export const resolveCase = (given: Case) => resolveAnswers(resolveInput(given))

/** What the error says that that resolving ends with. */
export async function problemsOf(given: Case): Promise<string[]> {
  try {
    await resolveCase(given)
  } catch (error) {
    if (error instanceof AnswersError)
      return error.problems.map(({ spelled, message }) => `${spelled}: ${message}`)
    throw error
  }
  return []
}
