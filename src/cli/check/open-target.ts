import { createSecureContext, rootCertificates } from 'node:tls'
import { reach } from '../../check/reach.js'
import type { RunChecksOptions } from '../../check/run-checks.js'
import { readTarget } from '../../check/target.js'
import { loadConfig } from '../../config/load.js'
import type { NodeConfig } from '../../config/types.js'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { readSmallFile } from '../../lib/small-file.js'
import { readSystemAuthorities } from '../../lib/system-authorities.js'
import { localUrl, readNodeAccess } from '../../setup/verify/node-access.js'
import { whySlurmWaits } from '../../setup/verify/slurm-reason.js'
import type { CheckCommandLine } from '../check.js'
import { openConfig } from '../config/config-directory.js'
import { readValue } from '../config/read-value.js'
import type { Terminal } from '../config/terminal.js'

export type OpenedTarget = Pick<
  RunChecksOptions,
  'target' | 'token' | 'certificate' | 'authorities' | 'whyQueued'
>

const CONNECT_MS = 2000

/**
 * What is to be checked, and with what: of the command line, or of a node's configuration.
 * @throws MagnetarError for what cannot be read or used; the signal's reason when aborted
 */
export async function openTarget(
  line: CheckCommandLine,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<OpenedTarget> {
  const { url, config, manager, caFile } = line
  // Before anything is asked for.
  const given = url === undefined ? undefined : readTarget(url, manager)
  const token = await readToken(line, terminal, signal)
  if (given) {
    const own = config === undefined ? undefined : (await readAccess(config, terminal, signal)).config
    return {
      target: given,
      token: token ?? own?.privateToken,
      authorities: given.tls ? await readAuthorities(caFile, signal) : undefined,
    }
  }
  const { config: own, certificate, address } = await readAccess(config, terminal, signal)
  const onSlurm = own.managers.some(({ type }) => type === 'slurm' || type.startsWith('queued_'))
  return {
    target: readTarget(address, manager),
    token: token ?? own.privateToken,
    ...(caFile === undefined ? { certificate } : { authorities: await readAuthorities(caFile, signal) }),
    // Without Slurm's commands it knows nothing, and says so.
    whyQueued: onSlurm ? whySlurmWaits : undefined,
  }
}

async function readAccess(
  directory: string | undefined,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<{ config: NodeConfig; certificate: string | undefined; address: string }> {
  const options = await openConfig(directory, terminal)
  const access = await readNodeAccess({ etc: options.configDirectory }, signal)
  // How it was started decides where it listens: where something does.
  const other = localUrl((await loadConfig({ ...options, env: {}, signal })).server)
  const isElsewhere =
    other !== access.url && !(await listens(access.url, signal)) && (await listens(other, signal))
  return {
    config: access.config,
    certificate: access.certificate,
    address: isElsewhere ? other : access.url,
  }
}

async function listens(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    await reach(readTarget(url), { signal, timeoutMs: CONNECT_MS })
    return true
  } catch {
    signal.throwIfAborted()
    return false
  }
}

async function readToken(
  { tokenFile, tokenStdin }: CheckCommandLine,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (tokenFile !== undefined && tokenStdin)
    throw new MagnetarError('ANSWER_INVALID', '--token-file and --token-stdin cannot be used together')
  if (tokenStdin || tokenFile === '-') {
    const token = await readValue('private_token', terminal)
    if (token === undefined) throw new MagnetarError('ANSWER_INVALID', 'no token was given')
    return token
  }
  const file = tokenFile ?? (terminal.env.MAGNETAR_CHECK_TOKEN_FILE || undefined)
  return file === undefined ? undefined : readTokenFile(file, signal)
}

/** Whatever a Python Pulsar has in its app.yml is a token, also with spaces: one line, as it is. */
async function readTokenFile(file: string, signal: AbortSignal): Promise<string> {
  const refuse = (why: string): MagnetarError =>
    new MagnetarError('ANSWER_INVALID', `the token cannot be read from ${file}: ${why}`, {
      fix: "Name a file that holds nothing but private_token of the node's app.yml, in one line.",
    })
  const text = await readSmallFile(file, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    throw refuse(messageOf(error))
  })
  const token = text.replace(/\r?\n$/, '')
  if (token === '') throw refuse('it is empty')
  if (/[\r\n]/.test(token)) throw refuse('it has several lines')
  return token
}

/** Node's own list, the system's, and those of the file. */
async function readAuthorities(file: string | undefined, signal: AbortSignal): Promise<string[]> {
  const usual = [...rootCertificates, ...readSystemAuthorities()]
  if (file === undefined) return usual
  try {
    const text = await readSmallFile(file, signal)
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no certificate in PEM form')
    createSecureContext({ ca: text })
    return [...usual, text]
  } catch (error) {
    signal.throwIfAborted()
    throw new MagnetarError('ANSWER_INVALID', `--ca-file ${file} cannot be used: ${messageOf(error)}`, {
      fix: 'Name a PEM file with the certificates of the authorities to trust.',
      cause: error,
    })
  }
}
