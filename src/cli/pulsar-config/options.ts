/** One flag of `pulsar-config`, as Python's argparse knows it. */
export interface Flag {
  readonly name: `--${string}`
  /** What stands for its argument in the help; undefined: it takes none. */
  readonly argument?: string
  readonly choices?: readonly string[]
  /** What is wrong with the argument, to follow "argument --port: "; undefined: nothing. */
  readonly check?: (value: string) => string | undefined
  /** Unknown where there is no Unix, as the Python program has it. */
  readonly unixOnly?: boolean
  readonly help: string
}

/** All flags of pulsar-config 0.16.0 (pulsar/scripts/config.py `main`), in its order. */
export const FLAGS = [
  {
    name: '--directory',
    argument: 'DIRECTORY',
    help: 'Where the files go; made when missing. Default: the current directory.',
  },
  { name: '--auto_conda', help: 'Install Conda, and packages from it, when a tool first needs them.' },
  {
    name: '--mq',
    help: 'Write the files of a node that takes its jobs from a message queue: there is no server.ini.',
  },
  { name: '--login', help: 'Not in this release: sign in to a relay, and write the files for it.' },
  { name: '--login-only', help: 'Not in this release: only sign in to a relay.' },
  {
    name: '--relay-url',
    argument: 'RELAY_URL',
    help: 'With --mq: the relay that the jobs come over, instead of an AMQP server.',
  },
  { name: '--no_logging', help: 'Leave what is logged, and where to, out of server.ini.' },
  {
    name: '--supervisor',
    unixOnly: true,
    help: 'Write supervisor.conf too: a program for Supervisor, ready to be copied to where it reads its programs from.',
  },
  {
    name: '--wsgi_server',
    argument: '{gunicorn,uwsgi}',
    choices: ['gunicorn', 'uwsgi'],
    unixOnly: true,
    help: 'What the node is to be started as. Either is the same server here: uwsgi listens where [uwsgi] of server.ini says, gunicorn where [server:main] does.',
  },
  {
    name: '--libdrmaa_path',
    argument: 'LIBDRMAA_PATH',
    unixOnly: true,
    help: 'Send jobs to a cluster through this DRMAA library.',
  },
  {
    name: '--host',
    argument: 'HOST',
    check: checkHost,
    help: 'Address to listen on. Default: localhost; 0.0.0.0 is all addresses.',
  },
  {
    name: '--private_token',
    argument: 'PRIVATE_TOKEN',
    help: 'What clients must know. Other users of this host can see it in the list of processes while this runs; app.yml is then readable for its owner only.',
  },
  {
    name: '--port',
    argument: 'PORT',
    check: checkPort,
    help: 'Port to listen on. Default: 8913. Without effect with --mq.',
  },
  { name: '--install', help: 'Accepted: there is nothing to install.' },
  { name: '--force', help: 'Replace files that are there.' },
  {
    name: '--register-with-galaxy',
    argument: 'GALAXY_URL',
    help: 'Not in this release: register this node with a Galaxy server.',
  },
  {
    name: '--galaxy-token',
    argument: 'GALAXY_TOKEN',
    help: 'Not in this release: the token for --register-with-galaxy.',
  },
] as const satisfies readonly Flag[]

export type FlagName = (typeof FLAGS)[number]['name']

function checkPort(value: string): string | undefined {
  const port = Number(value)
  if (/^\d{1,5}$/.test(value) && port >= 1 && port <= 65535) return undefined
  return `expected a port number from 1 to 65535, found ${JSON.stringify(value)}`
}

function checkHost(value: string): string | undefined {
  if (/^[^\s\x00-\x1f\x7f/]+$/.test(value)) return undefined
  return `expected the name or the address of this host, found ${JSON.stringify(value)}`
}
