import type { SetupOption } from '../option.js'
import { file, fileOrInput, hostAddress, orNone, portNumber, yesOrNo } from '../option-types.js'

const USUAL_PORT = 8913

/** Who may send jobs. */
export const networkOptions: readonly SetupOption[] = [
  {
    name: 'host',
    flags: [{ flag: '--host', argument: 'ADDRESS' }],
    type: hostAddress,
    description: 'address to listen on; 0.0.0.0 for all of this machine',
    why: 'Whoever reaches the port and knows the token runs programs here. Loopback is right when Galaxy, or a proxy, is on this machine.',
    defaultText: 'localhost',
    default: () => ({ value: 'localhost' }),
  },
  {
    name: 'port',
    flags: [{ flag: '--port', argument: 'NUMBER' }],
    type: portNumber,
    description: 'TCP port to listen on',
    why: 'It stands in the url of the destination on the Galaxy server; the firewall must let it through from there.',
    defaultText: '8913; with --instance the next free one',
    default: async ({ answers: { instance, host = 'localhost' }, machine }) => {
      if (instance === undefined) return { value: USUAL_PORT }
      const port = await machine.nextFreePort(host, USUAL_PORT + 1)
      return { value: port, found: `the next free port` }
    },
  },
  {
    name: 'tokenFile',
    flags: [
      { flag: '--token-file', argument: 'FILE' },
      { flag: '--token-stdin', value: '-', description: 'the private token comes from standard input' },
    ],
    type: fileOrInput,
    description: 'file with the private token that Galaxy has to send',
    why: 'Give the one that Galaxy uses already; else 256 random bits are generated.',
    defaultText: 'that of app.yml, else generated',
    onlyThisRun: true,
    default: () => undefined,
  },
  {
    name: 'tlsCert',
    flags: [{ flag: '--tls-cert', argument: 'FILE' }],
    type: orNone(file),
    description: 'certificate (PEM, with its chain): the node serves HTTPS',
    why: 'The token and all data pass the network; without TLS anyone on the way can read and use them.',
    defaultText: 'none: plain HTTP',
    default: () => undefined,
  },
  {
    name: 'tlsKey',
    flags: [{ flag: '--tls-key', argument: 'FILE' }],
    type: orNone(file),
    description: 'private key of the certificate (PEM)',
    why: 'It is copied into the prefix, readable for the user of the node only.',
    defaultText: 'none',
    follows: 'tlsCert',
    default: () => undefined,
  },
  {
    name: 'noTls',
    flags: [{ flag: '--no-tls', value: 'yes' }],
    type: yesOrNo,
    description: 'plain HTTP also on an address that other machines reach: a proxy in front does TLS',
    why: 'Only where nothing but that proxy can reach the port.',
    defaultText: 'no',
    default: () => ({ value: false }),
  },
]
