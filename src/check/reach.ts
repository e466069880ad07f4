import { promises as dns, type LookupAddress } from 'node:dns'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { limitTime } from '../lib/time-limit.js'
import { explainNetwork } from './explain-network.js'
import type { Target } from './target.js'
import type { Finding } from './types.js'

/** A connection that was opened, and closed again. */
export interface Reached {
  /** Of the node. */
  readonly address: string
  /** Of this machine, as the node sees it unless something between them changes it. */
  readonly localAddress: string
}

const ATTEMPT_MS = 1000

/**
 * Looks the host's name up and opens a connection.
 * @throws CheckProblem of kind reach; the signal's reason when aborted
 */
export async function reach(
  target: Target,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Finding<Reached>> {
  const { host, port } = target
  try {
    if (net.isIP(host) === 0) await lookUp(host, timeoutMs, signal)
    const value = await connect(target, timeoutMs, signal)
    const named = value.address === host ? host : `${host} (${value.address})`
    return { value, message: `${named} port ${port}` }
  } catch (error) {
    signal.throwIfAborted()
    throw explainNetwork(target, error)
  }
}

/** The system's resolver cannot be stopped: it is left behind. */
async function lookUp(host: string, timeoutMs: number, signal: AbortSignal): Promise<LookupAddress> {
  const done = new AbortController()
  const late = delay(timeoutMs, undefined, { signal: AbortSignal.any([signal, done.signal]) }).then(() => {
    throw Object.assign(new Error('the name server does not answer'), { code: 'EAI_AGAIN' })
  })
  try {
    return await Promise.race([dns.lookup(host), late])
  } finally {
    done.abort()
    late.catch(() => {})
  }
}

function connect({ host, port }: Target, timeoutMs: number, signal: AbortSignal): Promise<Reached> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({
      host,
      port,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: Math.min(ATTEMPT_MS, timeoutMs),
    })
    const limit = limitTime(signal, timeoutMs)
    const giveUp = (): void =>
      void socket.destroy(Object.assign(new Error(`${timeoutMs / 1000} s are up`), { code: 'ETIMEDOUT' }))
    limit.signal.addEventListener('abort', giveUp, { once: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      resolve({ address: socket.remoteAddress ?? host, localAddress: socket.localAddress ?? '127.0.0.1' })
      socket.destroy()
    })
    socket.once('close', () => {
      limit.signal.removeEventListener('abort', giveUp)
      limit.release()
    })
  })
}
