import { accessSync, constants } from 'node:fs'
import { userInfo } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ERRORS } from '../lib/error-table.js'
import { MagnetarError } from '../lib/errors.js'
import {
  type ClassicOptions,
  type ClassicPlace,
  describeResult,
  describeStart,
  renderClassicFiles,
} from '../setup/classic/classic-config.js'
import { writeClassicFiles } from '../setup/classic/classic-write.js'
import { EXIT } from './exit-codes.js'
import { printError } from './print.js'
import { parseArguments } from './pulsar-config/arguments.js'
import { FLAGS, type Flag, type FlagName } from './pulsar-config/options.js'
import { renderHelp, renderUsageError } from './pulsar-config/usage.js'

/** Two directories above this file, in dist/cli as in dist/bundle. */
const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url))
const DEFAULT_COLUMNS = 80

/**
 * `pulsar-config …`: the scaffolding command of the Python Pulsar, with its flags, files, messages and exit codes. Resolves with the exit
 * code: 0, 1 (nothing was written), 2 (the command line).
 */
export async function pulsarConfig(argv: readonly string[]): Promise<number> {
  const unix = process.platform !== 'win32' && !process.env.MOCK_WINDOWS
  const flags = FLAGS.filter((flag: Flag) => unix || !flag.unixOnly)
  const parsed = parseArguments(argv, flags)
  if (parsed.kind === 'help') {
    process.stdout.write(renderHelp(flags, columnsOf(process.stdout)))
    return EXIT.ok
  }
  if (parsed.kind === 'error') {
    process.stderr.write(renderUsageError(flags, columnsOf(process.stderr), parsed.message))
    return EXIT.usage
  }
  const { values } = parsed
  const later = (['--login', '--login-only', '--register-with-galaxy'] as const).find((name) =>
    values.has(name),
  )
  if (later) {
    process.stderr.write(notYet(later))
    return EXIT.usage
  }
  const options = readOptions(values, unix)
  try {
    const files = renderClassicFiles(options, findPlace(options))
    process.stdout.write(`${describeStart(options)}\n`)
    await writeClassicFiles(path.resolve(options.directory), files, options)
  } catch (error) {
    printFailure(error)
    return EXIT.failed
  }
  process.stdout.write(`${describeResult(options).join('\n')}\n`)
  return EXIT.ok
}

function readOptions(values: ReadonlyMap<string, string | true>, unix: boolean): ClassicOptions {
  const has = (name: FlagName): boolean => values.has(name)
  const text = (name: FlagName): string | undefined => {
    const value = values.get(name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const wsgiServer = text('--wsgi_server')
  return {
    directory: text('--directory') ?? '.',
    autoConda: has('--auto_conda'),
    mq: has('--mq'),
    relayUrl: text('--relay-url'),
    logging: !has('--no_logging'),
    supervisor: has('--supervisor'),
    wsgiServer: wsgiServer === 'uwsgi' || wsgiServer === 'gunicorn' ? wsgiServer : undefined,
    libdrmaaPath: text('--libdrmaa_path'),
    host: text('--host') ?? 'localhost',
    privateToken: text('--private_token'),
    port: text('--port') ?? '8913',
    install: has('--install'),
    force: has('--force'),
    unix,
  }
}

function findPlace({ supervisor }: ClassicOptions): ClassicPlace {
  const prefix = process.env.MAGNETAR_PREFIX || undefined
  const launcher =
    prefix === undefined ? path.join(PACKAGE_ROOT, 'bin', 'pulsar.js') : path.join(prefix, 'bin', 'pulsar')
  if (supervisor) checkLauncher(launcher)
  return {
    cwd: process.cwd(),
    user: process.env.USER || effectiveUser(),
    launcher,
    prefix,
    nodeDirectory: path.dirname(process.execPath),
  }
}

/** Supervisor would only say "FATAL can't find command", when it is started some day. */
function checkLauncher(launcher: string): void {
  try {
    accessSync(launcher, constants.X_OK)
  } catch (cause) {
    throw new MagnetarError(
      'SETUP_FAILED',
      `the program for supervisor.conf, ${launcher}, is missing or not executable. Nothing was written.`,
      { fix: `Make it executable: chmod +x ${launcher}`, cause },
    )
  }
}

function effectiveUser(): string {
  try {
    return userInfo().username
  } catch {
    // A user without an entry in the password database, as in containers.
    return String(process.geteuid?.() ?? '')
  }
}

function notYet(flag: string): string {
  const what = flag === '--register-with-galaxy' ? 'registers with no Galaxy server' : 'signs in to no relay'
  return (
    `pulsar-config: error: ${flag} does not work yet: this release ${what}. Nothing was written.\n` +
    '  Fix: Leave it out; --mq --relay-url URL writes the files for a relay.\n'
  )
}

function printFailure(error: unknown): void {
  if (!(error instanceof MagnetarError)) printError(error)
  // The sentence of the Python program, which names the flag itself.
  else if (error.code === 'SETUP_CONFLICT') process.stderr.write(`${error.message}\n`)
  else {
    const fix = error.fix ?? ERRORS[error.code].fix
    process.stderr.write(`pulsar-config: error: ${error.message}\n  Fix: ${fix}  [${error.code}]\n`)
  }
}

function columnsOf(stream: { readonly columns?: number }): number {
  return Number(process.env.COLUMNS) || stream.columns || DEFAULT_COLUMNS
}
