import { join, resolve } from 'node:path'
import { renderAppYml } from '../files/render/app-yml.js'
import { renderLocalEnv } from '../files/render/local-env.js'
import { renderServerIni } from '../files/render/server-ini.js'
import {
  escapeForSupervisor,
  prefixEnvironment,
  pulsarCommand,
  renderSupervisorConf,
} from '../files/render/supervisor-conf.js'

/** What `pulsar-config` was asked for, by the names of its flags. */
export interface ClassicOptions {
  /** As given; relative to the current directory. */
  readonly directory: string
  readonly autoConda: boolean
  readonly mq: boolean
  readonly relayUrl: string | undefined
  readonly logging: boolean
  readonly supervisor: boolean
  readonly wsgiServer: 'gunicorn' | 'uwsgi' | undefined
  readonly libdrmaaPath: string | undefined
  readonly host: string
  readonly privateToken: string | undefined
  readonly port: string
  readonly install: boolean
  readonly force: boolean
  /** false: there is no shell and no Supervisor, so neither gets a file. */
  readonly unix: boolean
}

/** Where `pulsar-config` runs. */
export interface ClassicPlace {
  readonly cwd: string
  /** Who the program of supervisor.conf is to run as. */
  readonly user: string
  /** Absolute: the program `pulsar` that belongs to this installation. */
  readonly launcher: string
  /** The installed prefix; undefined: a checkout, whose launcher finds the Node of `nodeDirectory` on its PATH. */
  readonly prefix: string | undefined
  readonly nodeDirectory: string
}

export interface ClassicFile {
  readonly name: 'app.yml' | 'server.ini' | 'local_env.sh' | 'supervisor.conf'
  readonly text: string
  /** Only for the owner to read. */
  readonly secret: boolean
}

const DEFAULT_HOST = 'localhost'

/** How the node is to be started (pulsar/scripts/config.py `_determine_mode`). */
function modeOf({ wsgiServer, mq }: ClassicOptions): 'gunicorn' | 'uwsgi' | 'webless' {
  return wsgiServer ?? (mq ? 'webless' : 'gunicorn')
}

/**
 * The files for this combination of flags, in the order in which pulsar-config 0.16.0 writes them.
 * @throws MagnetarError ANSWER_INVALID when supervisor.conf cannot hold the directory or the user's name
 */
export function renderClassicFiles(options: ClassicOptions, place: ClassicPlace): ClassicFile[] {
  const directory = resolve(place.cwd, options.directory)
  const { mq, unix, supervisor } = options
  return [
    { name: 'app.yml', text: renderApp(options, directory), secret: Boolean(options.privateToken) },
    ...(mq ? [] : [plain('server.ini', renderServerIni(options))]),
    ...(unix ? [plain('local_env.sh', renderLocalEnv({ drmaaLibrary: options.libdrmaaPath }))] : []),
    ...(supervisor ? [plain('supervisor.conf', renderProgram(options, place, directory))] : []),
  ]
}

function plain(name: ClassicFile['name'], text: string): ClassicFile {
  return { name, text, secret: false }
}

function renderApp(options: ClassicOptions, directory: string): string {
  const { autoConda, libdrmaaPath, mq, privateToken, relayUrl } = options
  const messageQueue = relayUrl
    ? { url: relayUrl, credentialsFile: join(directory, 'relay_credentials.json') }
    : { url: 'amqp://guest:guest@localhost:5672//' }
  return renderAppYml({
    privateToken,
    autoConda,
    drmaa: Boolean(libdrmaaPath),
    messageQueue: mq ? messageQueue : undefined,
  })
}

function renderProgram(options: ClassicOptions, place: ClassicPlace, directory: string): string {
  const { launcher, nodeDirectory, prefix, user } = place
  return renderSupervisorConf({
    program: 'pulsar',
    user,
    directory,
    command: pulsarCommand({ launcher, mode: modeOf(options), directory }),
    environment:
      prefix === undefined
        ? { PATH: `${escapeForSupervisor(nodeDirectory)}:%(ENV_PATH)s` }
        : prefixEnvironment(prefix),
    stopsignal: 'INT',
  })
}

/** The first line, printed before anything is written. */
export function describeStart({ directory }: ClassicOptions): string {
  return `Bootstrapping pulsar configuration into directory ${directory}`
}

/** What is printed once the files are there; in the order of pulsar-config 0.16.0, which scripts and course notes show. */
export function describeResult(options: ClassicOptions): string[] {
  const mode = modeOf(options)
  return [
    ...(options.install ? describeInstall(options) : []),
    ' - app.yml created, update to configure Pulsar application.',
    ...(options.mq ? [] : describeServer(options, mode)),
    ...(options.unix ? [' - local_env.sh created, update to configure environment.'] : []),
    '',
    '',
    `Start pulsar by running the command from directory [${options.directory}]:`,
    ...describeCommand(options, mode),
    ...describeCheck(options, mode),
  ]
}

function describeServer({ host, privateToken }: ClassicOptions, mode: string): string[] {
  const target = `   * Target web server ${mode}`
  const advice = privateToken
    ? ' with a private token, please configure SSL if network is not firewalled off.'
    : ', configure a private token and SSL if network is not firewalled off.'
  const binding =
    host === DEFAULT_HOST
      ? '   * Binding to host localhost, remote clients will not be able to connect.'
      : `   * Binding to host [${host}]${advice}`
  return [' - server.ini created, update to configure web server.', target, binding, target]
}

function describeCommand(options: ClassicOptions, mode: string): string[] {
  if (!options.unix || mode === 'gunicorn') return ['    pulsar']
  const command = `    pulsar --mode ${mode}`
  return mode === 'uwsgi'
    ? [command, 'Any extra commands passed to pulsar will be forwarded along to uwsgi.']
    : [command]
}

/** pulsar-config 0.16.0 says this for the one mode in which its server would not answer; ours does. */
function describeCheck({ host, port, privateToken }: ClassicOptions, mode: string): string[] {
  if (mode !== 'webless') return []
  // The token itself would end in the logs of whatever runs this.
  const token = privateToken ? " --private_token '<private_token of app.yml>'" : ''
  return [
    'Run a test job against your Pulsar server using the command:',
    `  pulsar-check --url http://${host}:${port}${token}`,
    'If it reports no problems, your pulsar server is running properly.',
  ]
}

/** Stands where pip's output would. */
function describeInstall({ supervisor }: ClassicOptions): string[] {
  const more = supervisor ? ' Supervisor comes with the system: apt-get install supervisor' : ''
  return [`Nothing to install: Magnetar uses no Python packages.${more}`]
}
