import { join } from 'node:path'
import type { SetupOption } from '../option.js'
import {
  accountId,
  accountName,
  homeDirectory,
  instanceName,
  orNone,
  prefixDirectory,
  program,
  yesOrNo,
} from '../option-types.js'

/** Where the node lives and whom it belongs to. */
export const placeOptions: readonly SetupOption[] = [
  {
    name: 'instance',
    flags: [{ flag: '--instance', argument: 'NAME' }],
    type: orNone(instanceName),
    description: 'set up one more node on this machine: its own prefix, port and service, pulsar-NAME',
    why: 'Only needed for a second node beside the first one.',
    defaultText: 'none',
    default: () => undefined,
  },
  {
    name: 'prefix',
    flags: [{ flag: '--prefix', argument: 'DIR' }],
    type: prefixDirectory,
    description: 'directory that the node lives in: programs, configuration, jobs',
    why: 'Everything but the service file goes below it. With Slurm it must be on a file system that the compute nodes share.',
    defaultText: '/srv/pulsar as root, else ~/pulsar',
    default: ({ facts, answers, machine }) => {
      if (answers.instance === undefined && machine.ownPrefix !== undefined)
        return { value: machine.ownPrefix, found: 'this program is installed there' }
      const name = answers.instance === undefined ? 'pulsar' : `pulsar-${answers.instance}`
      return { value: join(facts.account.isRoot ? '/srv' : facts.account.home, name) }
    },
  },
  {
    name: 'user',
    flags: [{ flag: '--user', argument: 'NAME' }],
    type: accountName,
    description: 'user that the server and its jobs run as; made when there is none',
    why: 'Jobs are programs of other people: a user of their own, never root, keeps them away from the rest of the machine.',
    defaultText: 'pulsar as root, else you',
    default: ({ facts: { account } }) =>
      account.isRoot ? { value: 'pulsar' } : { value: account.user, found: 'not root: the node runs as you' },
  },
  {
    name: 'group',
    flags: [{ flag: '--group', argument: 'NAME' }],
    type: accountName,
    description: 'group of the files; made when there is none',
    why: 'Files and jobs get this group. Secrets such as app.yml stay readable for the user alone; groups of the system (root, shadow, disk) are refused.',
    defaultText: 'the primary group of the user',
    follows: 'user',
    default: async ({ facts: { account }, answers: { user = account.user }, machine }) => {
      if (!account.isRoot) return { value: account.group }
      const known = await machine.lookUpUser(user)
      return known ? { value: known.group, found: `the group of ${user}` } : { value: user }
    },
  },
  {
    name: 'uid',
    flags: [{ flag: '--uid', argument: 'NUMBER' }],
    type: orNone(accountId),
    description: 'number of the user, where it has to be made',
    why: 'The same number as on the compute nodes is needed where they share files with this machine.',
    defaultText: 'the system chooses',
    follows: 'user',
    default: () => undefined,
  },
  {
    name: 'gid',
    flags: [{ flag: '--gid', argument: 'NUMBER' }],
    type: orNone(accountId),
    description: 'number of the group, where it has to be made',
    why: 'As --uid, for the group.',
    defaultText: 'the system chooses',
    follows: 'user',
    default: () => undefined,
  },
  {
    name: 'home',
    flags: [{ flag: '--home', argument: 'DIR' }],
    type: homeDirectory,
    description: 'home directory of the user, where it has to be made',
    why: 'Tools and Conda keep caches there.',
    defaultText: 'named after the user, in /home',
    follows: 'user',
    default: async ({ facts: { account }, answers: { user = account.user }, machine }) => {
      if (!account.isRoot) return { value: account.home }
      const known = await machine.lookUpUser(user)
      return known ? { value: known.home, found: `the home of ${user}` } : { value: join('/home', user) }
    },
  },
  {
    name: 'shell',
    flags: [{ flag: '--shell', argument: 'PROGRAM' }],
    type: program,
    description: 'login shell of the user, where it has to be made',
    why: 'Slurm starts batch jobs through it.',
    defaultText: '/bin/bash',
    follows: 'user',
    default: async ({ facts: { account }, answers: { user = account.user }, machine }) => {
      const known = await machine.lookUpUser(user)
      return known?.shell
        ? { value: known.shell, found: `the shell of ${user}` }
        : { value: join('/bin', 'bash') }
    },
  },
  {
    name: 'separatePrivileges',
    flags: [
      { flag: '--separate-privileges', value: 'yes' },
      {
        flag: '--no-separate-privileges',
        value: 'no',
        description: 'everything belongs to the user',
      },
    ],
    type: yesOrNo,
    description: 'programs and configuration belong to root, so that no job can change the server',
    why: 'A tool that goes wrong, or worse, can then not replace the server or read along with its next start.',
    defaultText: 'no',
    default: () => ({ value: false }),
  },
]
