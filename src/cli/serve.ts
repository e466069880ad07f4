import { existsSync } from 'node:fs'
import { type LoadOptions, loadConfig } from '../config/load.js'
import type { NodeConfig } from '../config/types.js'
import { MagnetarError, messageOf, toMagnetarError } from '../lib/errors.js'
import { refuseUnsafeStart, unencryptedWarning } from '../node/exposure.js'
import { type ReadTokens, type RunningNode, startNode, tokensOf } from '../node.js'
import { exitCodeOf } from './exit-code-of.js'
import { EXIT } from './exit-codes.js'
import { useOwnHome } from './home.js'
import { createLogger, type ServerLogger } from './logger.js'
import { version } from './package.js'
import { printError } from './print.js'

/** Time to stop before the process ends whatever is still open. */
const STOP_LIMIT_MS = 4500
/** In the environment: nothing is served. */
const TRY_VARIABLE = 'MAGNETAR_TRY_START'

/**
 * Serves a node until SIGINT or SIGTERM; resolves with the exit code. Configuration mistakes are told before anything is
 * started or changed.
 */
export async function serve(options: LoadOptions): Promise<number> {
  useOwnHome(process.env)
  let config: Awaited<ReturnType<typeof loadConfig>>
  let log: ServerLogger
  try {
    // The Python server starts without any file, and then unprotected; a directory that is not there is a mistyped one.
    if (!existsSync(options.configDirectory))
      throw new MagnetarError('CONFIG_UNREADABLE', `there is no directory ${options.configDirectory}`, {
        fix: 'Name the directory that holds app.yml and server.ini.',
      })
    config = await loadConfig(options)
    await refuseUnsafeStart(config)
    log = createLogger(config.logging)
  } catch (error) {
    printError(error)
    return EXIT.config
  }
  if (process.env[TRY_VARIABLE]) return tryToServe(config)
  for (const warning of config.warnings) log.warn(warning)
  const readTokens = async (): Promise<ReadTokens> => {
    const readAtMs = Date.now()
    const now = await loadConfig(options)
    const found = tokensOf(now)
    log.info({ logger: 'pulsar.core' }, `private tokens in the configuration: ${found.length}`)
    return { tokens: found, ...(isSameButTokens(config, now) ? { allReadAtMs: readAtMs } : {}) }
  }
  let node: RunningNode | undefined
  process.on('SIGHUP', () => {
    log.reopen()
    readTokens()
      .then((tokens) => node?.setTokens(tokens))
      .catch((error: unknown) => log.warn(`the private tokens stay as they are: ${messageOf(error)}`))
  })
  if (config.privateToken !== undefined)
    log.info(
      { logger: 'pulsar.core' },
      'secured with the private token, which only HTTPS keeps from being read on the way',
    )
  log.info({ logger: 'pulsar.core' }, 'starting without a toolbox: jobs of every tool are accepted')
  const stopped = untilStopped()
  const stopping = new AbortController()
  let ready = false
  // A start that hangs on a dead file system must not outlive the wish to stop.
  void stopped.then(() => {
    stopping.abort()
    if (!ready) setTimeout(() => process.exit(EXIT.failed), STOP_LIMIT_MS)
  })
  // Before anything is started that would inherit the variable. Elsewhere it is not even loaded.
  const systemd = process.env.NOTIFY_SOCKET
    ? (await import('./notify-systemd.js')).createSystemdNotifier(process.env, log)
    : undefined
  try {
    node = await startNode(config, log, { release: version(), readTokens, stopping: stopping.signal })
  } catch (error) {
    if (stopping.signal.aborted) {
      log.info('stopped before the start was through')
      return EXIT.ok
    }
    printError(withoutStack(error))
    return exitCodeOf(error)
  }
  ready = true
  const unencrypted = await unencryptedWarning(config)
  if (unencrypted !== undefined) log.warn(unencrypted)
  if (config.privateToken === undefined) {
    log.warn(`no private_token is set: whoever can reach ${node.url} can run commands as this user`)
  }
  const names = config.managers.map((manager) => `${manager.name} (${manager.type})`)
  log.info(`ready: ${node.url} · managers ${names.join(', ') || 'none'} · jobs in ${config.stagingDirectory}`)
  void systemd?.ready(`ready: ${node.url}`)
  const signal = await stopped
  void systemd?.stopping()
  log.info(`${signal}: stopping; running jobs go on`)
  const limit = setTimeout(() => {
    log.warn('not everything could be closed in time')
    process.exit(EXIT.ok)
  }, STOP_LIMIT_MS)
  await node.close()
  clearTimeout(limit)
  log.info('stopped')
  return EXIT.ok
}

/** Whether it would start, said by the exit code and the error: asked by `magnetar adopt`, with the service's own command. */
async function tryToServe(config: NodeConfig): Promise<number> {
  try {
    const { tryStart } = await import('../node/try-start.js')
    for (const warning of await tryStart(config, process.env)) process.stdout.write(`warning: ${warning}\n`)
    process.stdout.write('the server would start\n')
    return EXIT.ok
  } catch (error) {
    printError(withoutStack(error))
    return exitCodeOf(error)
  }
}

function isSameButTokens(one: NodeConfig, other: NodeConfig): boolean {
  const rest = (config: NodeConfig): string =>
    JSON.stringify({ ...config, privateToken: undefined, nextPrivateToken: undefined })
  return rest(one) === rest(other)
}

/** What the system refused is no mistake of the program, so where that happened in it helps nobody. */
function withoutStack(error: unknown): unknown {
  const known = toMagnetarError(error)
  if (error instanceof MagnetarError || known.code === 'INTERNAL') return error
  return new MagnetarError(known.code, `the server cannot start: ${messageOf(error)}`, { cause: error })
}

/** The first signal asks for a clean stop, a second one ends the process at once. */
function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let seen = false
    const onSignal = (signal: NodeJS.Signals): void => {
      if (seen) process.exit(EXIT.interrupted)
      seen = true
      resolve(signal)
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}
