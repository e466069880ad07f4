/** Where the server of an installation listens, and who does there now. */
import { resolve } from 'node:path'
import { createNodeClient, NodeUnreachable } from '../../check/node-client.js'
import { parseIni } from '../../config/ini.js'
import { createProblems } from '../../config/problems.js'
import { readConfigFile } from '../../config/read-file.js'
import { readServer } from '../../config/server.js'
import type { ServerConfig } from '../../config/types.js'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { isPortFree } from '../probes/port.js'
import { findPortHolders, type PortHolder } from '../probes/port-holder.js'
import type { ServiceControl } from '../services/service-control.js'
import { localUrl } from '../verify/node-access.js'
import { type Demands, only } from './demands.js'
import type { PulsarService } from './find-service.js'
import { findPythonServers } from './python-servers.js'

const ASK_TIMEOUT_MS = 10_000

/** Where the server listens, when app.yml cannot be read: server.ini alone says that. undefined: nor can that. */
export async function loadServerAddress(
  { definition, pulsar }: PulsarService,
  signal: AbortSignal,
): Promise<ServerConfig | undefined> {
  const options = { ...pulsar.load, env: definition.env, cwd: definition.directory, signal }
  const path = resolve(options.configDirectory, options.iniPath ?? 'server.ini')
  try {
    const text = await readConfigFile({ path }, signal)
    if (text === undefined) return undefined
    const problems = createProblems()
    const server = await readServer(parseIni(text, path, problems), options, problems)
    problems.throwIfAny()
    return server
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof MagnetarError) return undefined
    throw error
  }
}

/** What was found of the service whose port is looked at. */
export interface PortQuestion {
  readonly service: Pick<PulsarService, 'pulsar'>
  /** undefined: nothing is listened on, or nobody knows where. */
  readonly access: PythonAccess | undefined
  /** That the service runs, and which of the two. */
  readonly runs: 'python' | 'magnetar' | undefined
  /** Of the service. */
  readonly pid: number | undefined
  /** Says how it runs, when it does not answer. */
  readonly control: Pick<ServiceControl, 'manager' | 'explain' | 'lastLogLines'>
}

/**
 * Whether the port is the service's own: that the Python Pulsar which runs answers there; or, of a service that does not run, that
 * nobody else holds it. A server of this Pulsar that its service manager has lost is ended before the start.
 */
export async function demandsOfPort(
  { service: { pulsar }, access, runs, pid, control }: PortQuestion,
  signal: AbortSignal,
): Promise<Demands> {
  const nothing: Demands = { obstacles: [], losses: [], notes: [] }
  if (access === undefined || runs === 'magnetar') return nothing
  const { host, port } = access.server
  const url = localUrl(access.server)
  const problem = runs === undefined ? undefined : await askPython(access, signal)
  if (runs !== undefined && problem === undefined) return nothing
  if (runs === undefined && (await isPortFree(host, port))) return nothing
  const holders = await findPortHolders(port)
  const servers = await findPythonServers({ configDirectories: [pulsar.configDirectory] })
  const own = new Set([pid, ...servers.map((server) => server.pid)])
  const strangers = holders.filter((holder) => !own.has(holder.pid))
  if (strangers.length > 0 || (runs === undefined && holders.length === 0))
    return only(
      `port ${port} of ${host}, where the server is to listen, is held by ${describeHolders(strangers)}. Stop that, or give one of the two another port ([server:main] in server.ini)`,
    )
  if (runs === undefined) {
    const left = holders.map((holder) => holder.pid).join(', ')
    return {
      ...nothing,
      notes: [
        `a Python server of this Pulsar (process ${left}) still runs, though its service is stopped: it is ended`,
      ],
    }
  }
  const [state, lines] = await Promise.all([control.explain(signal), control.lastLogLines(signal)])
  const log =
    lines.length === 0 ? '' : `. Its last lines:\n${lines.map((line) => `    | ${line}`).join('\n')}`
  return only(
    `the Pulsar that runs now does not answer at ${url}, where this configuration says it listens: ${problem}. Does it end after each start, was the configuration changed since, or does the server get its address from somewhere else? ${control.manager} says: ${state}${log}`,
  )
}

/** "process 4711 (/usr/sbin/nginx)" */
function describeHolders(holders: readonly PortHolder[]): string {
  if (holders.length === 0)
    return 'another program, which cannot be seen from here (of another user, or in a container)'
  const named = holders
    .slice(0, 3)
    .map(({ pid, program }) => `process ${pid} (${program || 'without a name'})`)
  return named.join(', ')
}

/** What a Python Pulsar is asked with. */
export interface PythonAccess {
  readonly server: ServerConfig
  /** `unknown`: app.yml cannot be read, and that the server insists on a token is answer enough. */
  readonly token: { readonly value: string | undefined } | 'unknown'
}

/** Asks a Python Pulsar once; undefined: it answers as one. */
export async function askPython(
  { server, token }: PythonAccess,
  signal: AbortSignal,
): Promise<string | undefined> {
  const url = localUrl(server)
  const client = createNodeClient({
    url,
    token: token === 'unknown' ? undefined : token.value,
    // Its own certificate, whatever it is: nothing but the token is told, and that to this machine.
    certificate: undefined,
    tokenIn: 'query',
    timeoutMs: ASK_TIMEOUT_MS,
  })
  try {
    const { status } = await client.call('GET', 'healthz', { signal })
    if (status === 200 || (status === 401 && token === 'unknown')) return undefined
    return status === 401 ? 'it refuses the private_token of app.yml' : `it answers ${status}`
  } catch (error) {
    if (!(error instanceof NodeUnreachable)) throw error
    // Something speaks TLS there that is not trusted, as a certificate of one's own is.
    return /CERT|VERIFY|SIGNATURE/.test(error.errno ?? '') ? undefined : messageOf(error)
  }
}
