/** What would keep the Python Pulsar from starting, seen while Magnetar still runs. Everything is only looked at. */
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { lookUpUser, type User } from '../../lib/accounts.js'
import { CommandNotStarted, runCommand } from '../../lib/exec.js'
import { readSmallFile } from '../../lib/small-file.js'
import type { FoundPulsar } from './adoption.js'
import { asUser } from './as-user.js'
import { demandsOfSpace, serviceEnvironment } from './demands-of-start.js'
import { type PulsarCommand, readPulsarCommand } from './pulsar-command.js'
import type { ServiceDefinition } from './service-definition.js'
import type { Edit } from './service-edit.js'
import { expandCommand } from './supervisor-definitions.js'

const LIMIT_MS = 60_000
const MAX_LINES = 12

/**
 * Reads the configuration as the server does (pulsar/main.py:load_app_configuration), and says what is wrong and where; never the text of
 * a line, in which the private token may stand. Releases without that function are not asked.
 */
const TRY = `
import configparser, re, sys
config, ini, app_conf, app = [each or None for each in sys.argv[1:]]
try:
    import pulsar.main
    builder = getattr(pulsar.main, 'PulsarConfigBuilder', None)
    if builder:
        builder(config_dir=config, ini_path=ini, app_conf_path=app_conf, app=app).load()
except configparser.Error as error:
    lines = [number for number, _ in getattr(error, 'errors', [])] or [getattr(error, 'lineno', None)]
    where = [f'line {number}' for number in lines if number] or [getattr(error, 'option', '')]
    sys.exit(f'{ini or config + "/server.ini"}: {", ".join(where)} cannot be read ({type(error).__name__})')
except Exception as error:
    mark = getattr(error, 'problem_mark', None)
    if mark is None:
        sys.exit(f'the configuration in {config} cannot be read: {type(error).__name__}: {error}')
    problem = re.sub(r"'[^'<]{2,}'", 'something', error.problem or 'it is no YAML')
    sys.exit(f'{mark.name}: line {mark.line + 1}, column {mark.column + 1}: {problem}')
`

/**
 * Whether there is room for what either server writes, and what the Python of the Pulsar says.
 * @param edit what the return undoes
 * @returns sentences; none: nothing speaks against it, or nobody can tell
 */
export async function demandsOfReturn(
  found: Pick<FoundPulsar, 'service' | 'installation' | 'pid' | 'config'>,
  edit: Edit,
  signal: AbortSignal,
): Promise<string[]> {
  const { config } = found
  const space = config === undefined ? [] : (await demandsOfSpace(config)).obstacles
  return [...space, ...(await askPythonOf(found, edit, signal))]
}

/** Has the Python of the Pulsar read its configuration: as the service's user, in its directory and environment. */
async function askPythonOf(
  { service, installation, pid }: Pick<FoundPulsar, 'service' | 'installation' | 'pid'>,
  edit: Edit,
  signal: AbortSignal,
): Promise<string[]> {
  const { definition } = service
  const pulsar = pythonCommand(definition, edit)
  if (pulsar === undefined) return []
  const { program, load } = pulsar
  const user = definition.user === undefined ? undefined : await lookUpUser(definition.user, signal)
  const env = await serviceEnvironment(definition.env, pid)
  const may = async (flag: string, path: string): Promise<boolean> =>
    (await run(['test', flag, path], user, { cwd: '/', env }, signal)) === undefined
  const who = user?.name ?? 'root'
  if (isAbsolute(program) && !(await may('-r', program)))
    return [`the service is to run ${program}, which is not there, or ${who} may not read it`]
  const python = await findInterpreter(pulsar, env, installation.virtualenv, signal)
  if (python === undefined) return []
  if (!(await may('-x', python)))
    return [
      `the Python of the Pulsar, ${python}, is not there (has the system got another Python since?), or ${who} may not run it`,
    ]
  const { configDirectory } = pulsar
  const iniPath = load.iniPath === undefined ? '' : resolve(configDirectory, load.iniPath)
  const appConf = load.appConfPath === undefined ? '' : resolve(configDirectory, load.appConfPath)
  const args = [configDirectory, iniPath, appConf, load.app ?? '']
  // As the launcher does: PYTHONPATH may be set there.
  const local = env.PULSAR_LOCAL_ENV ?? join(configDirectory, 'local_env.sh')
  const source = '[ ! -e "$0" ] || . "$0" > /dev/null 2>&1; exec "$@"'
  const argv = ['bash', '-c', source, local, python, '-c', TRY, ...args]
  const problem = await run(argv, user, { cwd: definition.directory, env }, signal)
  return problem === undefined ? [] : [`the Python Pulsar would not start: ${problem}`]
}

/** The command that the service will have. */
function pythonCommand(definition: ServiceDefinition, { command }: Edit): PulsarCommand | undefined {
  // Of a unit our drop-in was left out when it was read.
  const expanded =
    definition.kind === 'systemd' ? definition.expanded : expandCommand(command.before, definition)
  return expanded === undefined ? undefined : readPulsarCommand(expanded, definition)
}

/** What the scripts that pip has made for the server name in their first line; undefined: there are none of these. */
async function findInterpreter(
  { program, configDirectory }: PulsarCommand,
  env: Readonly<Record<string, string>>,
  virtualenv: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  // The launcher prefers the one that it activates.
  const activated = env.PULSAR_VIRTUALENV ?? join(configDirectory, '.venv')
  const bins = [
    ...(basename(program) === 'pulsar' ? [join(activated, 'bin')] : []),
    ...(isAbsolute(program) ? [dirname(program)] : []),
    ...(virtualenv === undefined ? [] : [join(virtualenv, 'bin')]),
  ]
  for (const bin of bins)
    for (const script of ['pulsar-serve', 'pulsar-main']) {
      const text = await readSmallFile(join(bin, script), signal).catch(() => '')
      signal.throwIfAborted()
      // The second form is of paths that the kernel would cut.
      const [, plain, long] =
        /^#!\s*(\/\S*python[\d.]*)\s|^#!\/bin\/sh\n'''exec' "?([^"\n]+?)"? "\$0"/.exec(text) ?? []
      const named = plain ?? long
      if (named !== undefined) return named
    }
  return undefined
}

/** undefined: it ended well; else what it said. */
async function run(
  argv: readonly string[],
  user: User | undefined,
  place: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<string | undefined> {
  const [program, ...args] = asUser(user, argv)
  try {
    const { code, timedOut, stdout, stderr } = await runCommand(program, args, {
      ...place,
      timeoutMs: LIMIT_MS,
      signal,
    })
    if (code === 0) return undefined
    if (timedOut) return `it has not read its configuration within ${LIMIT_MS / 1000} s`
    return (
      `${stdout}${stderr}`.trim().split('\n').slice(-MAX_LINES).join('\n    | ') || `it ended with ${code}`
    )
  } catch (error) {
    if (error instanceof CommandNotStarted) return error.message
    throw error
  }
}
