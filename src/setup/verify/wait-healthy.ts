import { setTimeout as delay } from 'node:timers/promises'
import { NodeUnreachable } from '../../check/node-client.js'
import { type MagnetarError, messageOf } from '../../lib/errors.js'
import type { ServiceControl } from '../services/service-control.js'
import { serviceFailed } from '../services/service-failed.js'
import type { NodePaths } from '../types.js'
import { type NodeAccess, readNodeAccess } from './node-access.js'

export interface WaitHealthyOptions {
  readonly paths: Pick<NodePaths, 'etc' | 'serviceName'>
  readonly control: ServiceControl
  readonly signal: AbortSignal
  /** Default 30 s. */
  readonly timeoutMs?: number
}

export interface Healthy {
  readonly url: string
  readonly ms: number
}

const TIMEOUT_MS = 30_000
const PAUSE_MS = 50
/** Asking a service manager costs a process: a tenth of a second with supervisorctl. */
const SERVICE_PAUSE_MS = 500

/**
 * Waits until the node that the service runs answers GET /healthz with its token.
 * @throws MagnetarError SERVICE_FAILED as soon as the service has failed, or when the time is up, with the last lines of its log; the
 *   configuration's own errors; the signal's reason when aborted
 */
export async function waitHealthy(options: WaitHealthyOptions): Promise<Healthy> {
  const { paths, signal, timeoutMs = TIMEOUT_MS } = options
  const startedMs = performance.now()
  const access = await readNodeAccess(paths, signal)
  let askServiceMs = startedMs
  for (;;) {
    const problem = await askHealth(access, signal)
    const nowMs = performance.now()
    if (problem === undefined) return { url: access.url, ms: Math.round(nowMs - startedMs) }
    // Another program on the port, or another node: waiting does not change that.
    if (problem.final) throw await failed(options, problem.message)
    if (nowMs >= askServiceMs) {
      await throwIfFailed(options)
      askServiceMs = performance.now() + SERVICE_PAUSE_MS
    }
    if (nowMs - startedMs > timeoutMs)
      throw await failed(options, `${problem.message} (${timeoutMs / 1000} s long)`)
    await delay(PAUSE_MS)
    signal.throwIfAborted()
  }
}

interface Problem {
  readonly message: string
  readonly final: boolean
}

/** Asks once. undefined: it is well. */
export async function askHealth(
  { client, url }: Pick<NodeAccess, 'client' | 'url'>,
  signal: AbortSignal,
): Promise<Problem | undefined> {
  try {
    const { status, text } = await client.call('GET', 'healthz', { signal })
    if (status === 200 && isHealth(text)) return undefined
    if (status === 401)
      return {
        final: true,
        message: `what listens on ${url} refuses the token of app.yml: it is another node, or was not restarted`,
      }
    // 503 while it stops.
    return { final: status !== 503, message: `what listens on ${url} is no Pulsar: it answers ${status}` }
  } catch (error) {
    if (!(error instanceof NodeUnreachable)) throw error
    return { final: isCertificateError(error), message: messageOf(error) }
  }
}

function isHealth(text: string): boolean {
  try {
    return typeof (JSON.parse(text) as { version?: unknown }).version === 'string'
  } catch {
    return false
  }
}

/** Node's and OpenSSL's names: CERT_HAS_EXPIRED, DEPTH_ZERO_SELF_SIGNED_CERT, UNABLE_TO_VERIFY_LEAF_SIGNATURE, EPROTO … */
function isCertificateError({ errno = '' }: NodeUnreachable): boolean {
  return /CERT|VERIFY|SIGNATURE|^EPROTO$|SSL/.test(errno)
}

async function throwIfFailed({ control, paths, signal }: WaitHealthyOptions): Promise<void> {
  const status = await control.status(signal)
  if (status === 'running' || (status === 'unknown' && control.commandFor('status') === '')) return
  const why = await control.explain(signal)
  const message = `${control.manager} started ${paths.serviceName}, but it does not run${why && ` (${why})`}`
  throw await serviceFailed(control, message, signal)
}

function failed({ control, paths, signal }: WaitHealthyOptions, why: string): Promise<MagnetarError> {
  return serviceFailed(control, `${paths.serviceName} was started, but does not answer: ${why}`, signal)
}
