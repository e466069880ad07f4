import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { locateConfigFiles } from '../../config/change/config-files.js'
import { planSet, planUnset } from '../../config/change/plan-change.js'
import { writeChecked } from '../../config/change/write-checked.js'
import { findKnownOption, type KnownOption, parseOptionName } from '../../config/known-options.js'
import { type LoadOptions, loadConfig } from '../../config/load.js'
import type { NodeConfig } from '../../config/types.js'
import { type ControlClient, connectControl } from '../../control/client.js'
import { controlPlace } from '../../control/socket-path.js'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { notPermitted } from '../../lib/not-permitted.js'
import { openConfig } from '../config/config-directory.js'
import { say, type Terminal } from '../config/terminal.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { withRestart } from '../node/open-node.js'
import { ownCommands } from '../own-command.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'

export interface TokenLine {
  readonly task: 'show' | 'rotate'
  readonly config?: string | undefined
  readonly finish?: boolean | undefined
  readonly json?: boolean | undefined
}

const TOKEN_BYTES = 32
/** Nothing can be asked where the token comes in. */
const CONNECT = 'magnetar galaxy connect --job-conf FILE --url URL --token-stdin --yes'

/** `magnetar token …`: resolves with the exit code. Tokens go to standard output alone, and only those of `show`. */
export async function runToken(line: TokenLine, terminal: Terminal): Promise<number> {
  const interrupts = watchInterrupts((text) => say(terminal.stderr, text))
  try {
    const options = await openConfig(line.config, terminal)
    await expectOwner(options)
    const command = await ownCommands(terminal.env, line.config)
    const room = { line, options, terminal, command, signal: interrupts.signal }
    if (line.task === 'show') return await show(room)
    return line.finish ? await finishRotation(room) : await rotate(room)
  } catch (error) {
    const isInterrupted = interrupts.signal.aborted
    // What stands in the file already is said all the same.
    if (!isInterrupted || error instanceof MagnetarError) printError(error)
    return isInterrupted ? EXIT.interrupted : exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

interface Room {
  readonly line: TokenLine
  readonly options: LoadOptions
  readonly terminal: Terminal
  /** To be typed next. */
  readonly command: (words: string) => string
  readonly signal: AbortSignal
}

/** Also where the group may read the file. */
async function expectOwner(options: LoadOptions): Promise<void> {
  const { app } = await locateConfigFiles(options)
  const owner = (await stat(app.path).catch(() => undefined))?.uid
  const uid = process.getuid?.()
  if (uid === 0 || owner === undefined || owner === uid) return
  throw await notPermitted(`the token is for the owner of ${app.path} and root`, app.path, {
    command: 'magnetar token …',
  })
}

async function show({ line, options, terminal, command, signal }: Room): Promise<number> {
  const { privateToken, nextPrivateToken } = await loadConfig({ ...options, signal })
  if (privateToken === undefined)
    throw new MagnetarError('ANSWER_INVALID', 'this node has no private token: it lets everybody in', {
      fix: `Make one: ${command('token rotate')}`,
    })
  // Galaxy is to get the new one.
  const token = nextPrivateToken ?? privateToken
  if (line.json) {
    const rotating = nextPrivateToken !== undefined
    terminal.stdout.write(`${JSON.stringify({ token, rotating })}\n`)
    return EXIT.ok
  }
  terminal.stdout.write(`${token}\n`)
  if (nextPrivateToken !== undefined)
    say(
      terminal.stderr,
      `This is the new one; the old one is let in too, until: ${command('token rotate --finish')}`,
    )
  say(terminal.stderr, 'Galaxy needs it as private_token of the destination. On the Galaxy server:')
  terminal.stderr.write(`  ${command('token show')} | ssh GALAXY ${CONNECT}\n`)
  return EXIT.ok
}

async function rotate({ line, options, terminal, command, signal }: Room): Promise<number> {
  const config = await loadConfig({ ...options, signal })
  if (config.nextPrivateToken !== undefined)
    throw new MagnetarError('ANSWER_INVALID', 'a new token is there already, and Galaxy may have it by now', {
      fix: `When Galaxy has it: ${command('token rotate --finish')}. To see it: ${command('token show')}`,
    })
  const server = await findServer(config, signal)
  // Without a token there is none that Galaxy uses and that would have to be let in for a while.
  const isFirst = config.privateToken === undefined
  await write(
    options,
    isFirst ? 'private_token' : 'private_token_next',
    randomBytes(TOKEN_BYTES).toString('base64url'),
  )
  await warnOfReaders(options, terminal)
  const reloaded = await reload(
    server,
    isFirst ? 'private_token is in app.yml' : 'private_token_next is in app.yml beside private_token',
    signal,
  )
  if (line.json) terminal.stdout.write(`${JSON.stringify({ rotated: true, reloaded })}\n`)
  else {
    const { stdout } = terminal
    say(
      stdout,
      isFirst
        ? 'The node has a private token now.'
        : 'A second token is in app.yml; the old one is let in too.',
    )
    say(stdout, describeReload(reloaded))
    say(stdout, `Next: give it to Galaxy, for example:`)
    stdout.write(`  ${command('token show')} | ssh GALAXY ${CONNECT}\n`)
    if (!isFirst) say(stdout, `When Galaxy was restarted: ${command('token rotate --finish')}`)
  }
  return EXIT.ok
}

/** A secret in a file that everybody may read is none; the mode is the admin's to choose. */
async function warnOfReaders(options: LoadOptions, { stderr }: Terminal): Promise<void> {
  const { app } = await locateConfigFiles(options)
  const found = await stat(app.path).catch(() => undefined)
  if (found && (found.mode & 0o004) !== 0)
    say(stderr, `warning: every user of this machine may read the tokens in it: chmod o= ${app.path}`)
}

async function finishRotation({ line, options, terminal, signal }: Room): Promise<number> {
  const config = await loadConfig({ ...options, signal })
  const { nextPrivateToken } = config
  if (nextPrivateToken === undefined) {
    if (line.json) terminal.stdout.write(`${JSON.stringify({ finished: false, reloaded: false })}\n`)
    else say(terminal.stdout, 'Nothing to do: there is no second token.')
    return EXIT.ok
  }
  const server = await findServer(config, signal)
  // Cut off in between, the new one stands there twice and the command can be repeated.
  await write(options, 'private_token', nextPrivateToken)
  const edit = await planUnset(options, optionOf('private_token_next'))
  if (edit) await writeChecked(options, edit)
  const reloaded = await reload(server, 'the new token is private_token in app.yml, the only one', signal)
  if (line.json) terminal.stdout.write(`${JSON.stringify({ finished: true, reloaded })}\n`)
  else {
    say(terminal.stdout, 'The old token is out of app.yml; only the new one counts.')
    say(terminal.stdout, describeReload(reloaded))
  }
  return EXIT.ok
}

async function write(options: LoadOptions, name: string, token: string): Promise<void> {
  await writeChecked(options, await planSet(options, optionOf(name), token))
}

function optionOf(name: string): KnownOption {
  const address = parseOptionName(name)
  const known = address && findKnownOption(address)
  if (!known) throw new Error(`${name} is no option`)
  return known
}

/** Asked before anything is written: a server that does not answer would not let the new token in. @throws MagnetarError */
async function findServer(config: NodeConfig, signal: AbortSignal): Promise<ControlClient | undefined> {
  try {
    return await connectControl(controlPlace(config), signal)
  } catch (error) {
    if (!(error instanceof MagnetarError && error.code === 'NODE_SILENT')) throw error
    const { message, fix } = await withRestart(error, config.configDirectory)
    throw new MagnetarError('NODE_SILENT', `nothing was changed: ${message}`, {
      ...(fix === undefined ? {} : { fix }),
      cause: error,
    })
  }
}

/**
 * The running server takes the tokens up at once; jobs and connections go on. @returns false: none runs
 * @throws MagnetarError that says what `stands` in the file already
 */
async function reload(
  server: ControlClient | undefined,
  stands: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (!server) return false
  try {
    await server.reloadTokens()
    return true
  } catch (error) {
    const why = signal.aborted ? 'interrupted' : messageOf(error)
    throw new MagnetarError(
      'SETUP_FAILED',
      `${stands}, but it is not known that the server took it up: ${why}`,
      { fix: 'Restart the server: its jobs go on.', cause: error },
    )
  }
}

function describeReload(reloaded: boolean): string {
  return reloaded
    ? 'The running server has taken it up, without a restart.'
    : 'The server does not run; it will take it up when it is started.'
}
