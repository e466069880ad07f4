import net from 'node:net'
import { explainCall, explainToken, foreign, gateway, redirected, unknownManager } from './explain-answer.js'
import { codeOf } from './explain-network.js'
import { type NodeAnswer, type NodeClient, NodeUnreachable } from './node-client.js'
import { createPulsarCalls, OddAnswer, Refused } from './pulsar-calls.js'
import type { Target } from './target.js'
import { speaksTls } from './tls.js'
import { CheckProblem, type Finding } from './types.js'

/** Who answers. */
export type Identity =
  | { readonly is: 'pulsar'; readonly version: string; readonly server: 'Magnetar' | 'Python' }
  /** The token, or the want of one, keeps us from seeing who it is. */
  | { readonly is: 'closed'; readonly problem: CheckProblem }
  /** No answer, or not of a Pulsar. */
  | { readonly is: 'foreign'; readonly problem: CheckProblem }

export interface IdentifyOptions {
  readonly target: Target
  readonly client: NodeClient
  readonly hasToken: boolean
  readonly signal: AbortSignal
  readonly timeoutMs: number
  /** An id of no job. */
  readonly probeId: string
}

/** Finds out who answers at the URL. @throws the signal's reason when aborted */
export async function identify(options: IdentifyOptions): Promise<Identity> {
  const { target, client, signal, hasToken } = options
  try {
    const version = await askVersion(options)
    return { is: 'pulsar', version, server: (await isMagnetar(client, signal)) ? 'Magnetar' : 'Python' }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof Refused && error.status === 401)
      return { is: 'closed', problem: explainToken(error, target, hasToken) }
    const problem = await explain(error, options)
    return problem.kind === 'token' ? { is: 'closed', problem } : { is: 'foreign', problem }
  }
}

async function askVersion({ client, signal, probeId }: IdentifyOptions): Promise<string> {
  const calls = createPulsarCalls(client, signal)
  try {
    return await calls.version()
  } catch (error) {
    // Older Pulsars do not have it; they tell the status of any job.
    if (!(error instanceof Refused && error.status === 404 && error.code === undefined)) throw error
    const { pulsar_version: version } = await calls.status(probeId).catch(() => {
      throw error
    })
    return version ?? 'of unknown version'
  }
}

/** This server's errors are JSON with a code (docs/rest.md). */
async function isMagnetar(client: NodeClient, signal: AbortSignal): Promise<boolean> {
  const { text } = await client.call('GET', 'no-such-route', { signal })
  return new Refused({ status: 404, headers: {}, body: Buffer.alloc(0), text }).code === 'ROUTE_UNKNOWN'
}

async function explain(error: unknown, options: IdentifyOptions): Promise<CheckProblem> {
  const { target, client, signal, timeoutMs } = options
  const odd = error instanceof NodeUnreachable || (error instanceof Refused && error.status === 400)
  if (!target.tls && odd && codeOf(error) !== 'ETIMEDOUT' && (await speaksTls(target, { signal, timeoutMs })))
    return new CheckProblem('tls', {
      message: 'the port speaks HTTPS, not plain HTTP',
      why: "Galaxy's requests get no answer of the node.",
      fix: `Use ${target.root.href.replace(/^http:/, 'https:')} here and in Galaxy.`,
    })
  if (error instanceof Refused) {
    const { status, code } = error
    if (code === 'MANAGER_UNKNOWN') return unknownManager(target)
    if (code === 'ROUTE_UNKNOWN')
      return foreign(target, `the node is not at the path ${target.url.pathname}`, error)
    if ([502, 503, 504].includes(status) && code === undefined) return gateway(error)
    if (status >= 300 && status < 400) return redirected(error, target)
    // A Python Pulsar fails at every route of a manager that it does not have.
    if (status === 500 || (status === 404 && target.manager !== undefined)) {
      if (target.manager === undefined || (await answersWithoutManager(target, client, signal)))
        return status === 500 && target.manager === undefined ? broken(error) : unknownManager(target)
    }
    if (code === undefined) return foreign(target, `what answers is no Pulsar: ${error.message}`, error)
  }
  if (error instanceof OddAnswer) return foreign(target, `what answers is no Pulsar: ${error.message}`, error)
  const explained = explainCall(error, { target, kind: 'reach', what: 'the first request', timeoutMs })
  if (explained instanceof CheckProblem) return explained
  throw explained
}

async function answersWithoutManager(
  target: Target,
  client: NodeClient,
  signal: AbortSignal,
): Promise<boolean> {
  // The route is relative to the manager's.
  const answer = await client
    .call('GET', new URL('healthz', target.root).pathname, { signal })
    .catch(() => undefined)
  return answer?.status === 200
}

function broken(error: Refused): CheckProblem {
  return new CheckProblem(
    'protocol',
    {
      message: `the node fails at the first request: ${error.message}`,
      why: "Galaxy's requests fail in the same way.",
      fix: 'A Python Pulsar without a manager _default_ answers so: name one with --manager NAME. Else its log says why.',
    },
    error,
  )
}

/**
 * Whether the node insists on the token.
 * @throws NodeUnreachable; the signal's reason when aborted
 */
export async function checkToken(
  client: NodeClient,
  options: { readonly hasToken: boolean; readonly address: string; readonly signal: AbortSignal },
): Promise<Finding<void>> {
  const { hasToken, address, signal } = options
  const { status } = hasToken
    ? await client.call('GET', 'healthz', { anonymous: true, signal })
    : ({ status: 200 } satisfies Pick<NodeAnswer, 'status'>)
  if (status === 401) return { value: undefined, message: 'accepted, and demanded' }
  const message = hasToken ? 'accepted, but requests without it are too' : 'none is demanded'
  if (!hasToken && isLoopback(address))
    return { value: undefined, message: `${message}, on this machine only` }
  return {
    value: undefined,
    message,
    warning: {
      why: 'Whoever reaches the node can run commands as its user.',
      fix: 'On the node: "magnetar token rotate" makes one, "magnetar token show" shows it; give it to Galaxy.',
    },
  }
}

export function isLoopback(address: string): boolean {
  return net.isIPv4(address) ? address.startsWith('127.') : /^(::1|::ffff:127\..*)$/.test(address)
}
