import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import type { LoadOptions } from '../config/load.js'
import { messageOf } from '../lib/errors.js'
import { EXIT } from './exit-codes.js'
import { useOwnHome } from './home.js'
import { printError } from './print.js'

/**
 * The commands by which existing supervisor programs, units and habits start a Pulsar. All of them start the same server, in
 * this process: signals reach it directly (the Python launcher is a shell that stays in between).
 */

const MODES = ['uwsgi', 'gunicorn', 'paster', 'circusd', 'chaussette', 'webless'] as const
type Mode = (typeof MODES)[number]

/** `pulsar [-m MODE] [-c DIR]`: sources local_env.sh, enters the virtualenv, serves (reference/config §7). */
export async function pulsar(argv: readonly string[]): Promise<number> {
  let mode: string | undefined = process.env.MODE || undefined
  let directory = process.env.PULSAR_CONFIG_DIR ?? '.'
  let at = 0
  for (; at < argv.length; at++) {
    const word = argv[at] ?? ''
    if (['-h', '--help', '-?'].includes(word)) {
      process.stdout.write(
        `Usage: pulsar [-m|--mode ${MODES.join('|')}] [-c|--config DIRECTORY]\n\nServes the Pulsar node configured in DIRECTORY (default: $PULSAR_CONFIG_DIR, else the current directory).\n`,
      )
      return EXIT.ok
    }
    if (word === '--') {
      at++
      break
    }
    if (word === '-m' || word === '--mode' || word === '-c' || word === '--config') {
      const value = argv[++at]
      if (value === undefined) return usage(`pulsar: ${word} needs a value.`, EXIT.failed)
      if (word.includes('m')) mode = value
      else directory = value
    } else break
  }
  if (argv.length > at)
    return usage(
      `pulsar: ${argv[at]} is not an option here; the server runs in the foreground, under Supervisor or systemd.`,
    )
  if (mode !== undefined && !isMode(mode))
    return usage('Unknown mode passed to --mode argument.', EXIT.failed)
  const configDirectory = path.resolve(directory)
  process.env.PULSAR_CONFIG_DIR = configDirectory
  useOwnHome(process.env)
  try {
    await enterLocalEnvironment(configDirectory)
  } catch (error) {
    printError(error)
    return EXIT.config
  }
  process.stdout.write(`Starting Pulsar in ${configDirectory}${mode ? ` (mode ${mode})` : ''}\n`)
  return serveWith({ configDirectory, ...(mode === undefined ? {} : { mode }) })
}

/** `pulsar-main -c DIR [--ini_path F] [--app_conf_path F] [--app_conf_base64 B] [--app NAME]`. */
export async function pulsarMain(argv: readonly string[]): Promise<number> {
  let values: Record<string, string | boolean | undefined>
  try {
    ;({ values } = parseArgs({
      args: [...argv],
      options: {
        config_dir: { type: 'string', short: 'c' },
        config: { type: 'string' },
        ini_path: { type: 'string' },
        app_conf_path: { type: 'string' },
        app_conf_base64: { type: 'string' },
        app: { type: 'string' },
      },
    }))
  } catch (error) {
    return usage(`pulsar-main: ${messageOf(error)}`)
  }
  const text = (name: string): string | undefined =>
    typeof values[name] === 'string' ? values[name] : undefined
  const options: Partial<LoadOptions> = {
    mode: 'webless',
    ...optional('iniPath', text('ini_path')),
    ...optional('appConfPath', text('app_conf_path')),
    ...optional('appConfBase64', text('app_conf_base64')),
    ...optional('app', text('app')),
  }
  const directory = text('config_dir') ?? text('config') ?? process.env.PULSAR_CONFIG_DIR ?? '.'
  return serveWith({ ...options, configDirectory: path.resolve(directory) })
}

/** `pulsar-serve [SERVER.INI]`: without a file that of $PULSAR_CONFIG_DIR, else of the current directory. */
export async function pulsarServe(argv: readonly string[]): Promise<number> {
  const [file, ...more] = argv
  if (more.length > 0 || file?.startsWith('-')) {
    return usage(
      `pulsar-serve: ${file?.startsWith('-') ? file : more[0]} is not an option here; the server runs in the foreground.`,
    )
  }
  const ini = path.resolve(file ?? path.join(process.env.PULSAR_CONFIG_DIR ?? '.', 'server.ini'))
  return serveWith({ configDirectory: path.dirname(ini), iniPath: ini, mode: 'gunicorn' })
}

async function serveWith(options: Partial<LoadOptions> & { configDirectory: string }): Promise<number> {
  const { serve } = await import('./serve.js')
  return serve({ ...options, env: process.env, cwd: process.cwd() })
}

async function enterLocalEnvironment(configDirectory: string): Promise<void> {
  const file = process.env.PULSAR_LOCAL_ENV ?? path.join(configDirectory, 'local_env.sh')
  if (fs.existsSync(file)) {
    process.stdout.write(`Sourcing file ${file}\n`)
    const { readLocalEnv } = await import('../config/local-env.js')
    // Whoever stops this start stops what the file runs, which is in a group of its own.
    const stopped = new AbortController()
    const stop = (): void => stopped.abort()
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, stop)
    try {
      Object.assign(process.env, await readLocalEnv(file, process.env, stopped.signal))
    } finally {
      for (const name of ['SIGTERM', 'SIGINT'] as const) process.removeListener(name, stop)
    }
  }
  const virtualenv = process.env.PULSAR_VIRTUALENV ?? path.join(configDirectory, '.venv')
  if (fs.existsSync(path.join(virtualenv, 'bin', 'activate'))) {
    process.stdout.write(`Activating virtual environment ${virtualenv}\n`)
    process.env.VIRTUAL_ENV = virtualenv
    process.env.PATH = `${path.join(virtualenv, 'bin')}:${process.env.PATH ?? ''}`
    delete process.env.PYTHONHOME
  }
}

function usage(message: string, exitCode: number = EXIT.usage): number {
  process.stderr.write(`${message}\n`)
  return exitCode
}

function isMode(text: string): text is Mode {
  return (MODES as readonly string[]).includes(text)
}

function optional<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, string>)
}
