import { checkCancel } from './cancel.js'
import { cleanUp, removeLeftovers } from './clean.js'
import { checkClock } from './clock.js'
import type { QueueReason } from './follow-job.js'
import { checkToken, identify, isLoopback } from './identify.js'
import { download, runJourney, setUpJourney, upload } from './journey.js'
import { createNodeClient, type NodeClient, trustOptions } from './node-client.js'
import { checkPull, type PullOptions } from './pull.js'
import { type Reached, reach } from './reach.js'
import { type CheckLimits, createSession, type Session } from './session.js'
import { type CheckWatcher, createSteps, type Steps } from './steps.js'
import type { Target } from './target.js'
import { checkTls } from './tls.js'
import { type CheckResult, type Finding, LeftOut } from './types.js'

export interface RunChecksOptions extends CheckWatcher {
  readonly target: Target
  readonly token: string | undefined
  /** PEM: the only certificate to accept. */
  readonly certificate?: string | undefined
  /** PEM texts: whom to trust without `certificate`. */
  readonly authorities?: readonly string[] | undefined
  readonly limits: CheckLimits
  /** undefined: the node is not asked to fetch anything. */
  readonly pull: Omit<PullOptions, 'localAddress'> | undefined
  readonly whyQueued?: ((jobId: string, signal: AbortSignal) => Promise<QueueReason | undefined>) | undefined
  readonly signal: AbortSignal
}

export interface CheckRun {
  readonly results: readonly CheckResult[]
  readonly ms: number
  /** Stopped before its end. */
  readonly interrupted: boolean
  /** Ids of jobs that could not be removed. */
  readonly left: readonly string[]
}

/** Tries all that Galaxy needs of a node, in order; jobs are removed again whatever happens. Never throws for what the node does. */
export async function runChecks(options: RunChecksOptions): Promise<CheckRun> {
  const { target, token, certificate, authorities, limits, signal } = options
  const startMs = performance.now()
  const client = createNodeClient({
    url: target.url.href,
    token,
    // A Python Pulsar knows no other way, and it is Galaxy's.
    tokenIn: 'query',
    certificate,
    authorities,
    timeoutMs: limits.answerMs,
  })
  const session = createSession({ target, client, signal, limits, whyQueued: options.whyQueued })
  const steps = createSteps(signal, options)
  let interrupted = false
  let left: string[] = []
  try {
    await runAll(options, steps, session)
  } catch (error) {
    if (!signal.aborted) throw error
    interrupted = true
  } finally {
    left = await removeLeftovers(session)
  }
  return { results: steps.results, ms: Math.round(performance.now() - startMs), interrupted, left }
}

async function runAll(options: RunChecksOptions, steps: Steps, session: Session): Promise<void> {
  const { target, signal, limits } = options
  const reached = await steps.run('reach', [], () => reach(target, { signal, timeoutMs: limits.connectMs }))
  const secured = await steps.run('tls', [reached], (found) => secure(options, found))
  const known = await meet(options, steps, session, reached && secured ? reached : undefined)
  await steps.run('clock', [known], () =>
    session.explained('reach', 'the request of the time', () => checkClock(session.client, signal)),
  )
  const journey = await steps.run('setup', [known], () => setUpJourney(session))
  const sent = await steps.run('upload', [journey], (found) => upload(session, found))
  const ended = await steps.run('run', [journey, sent], (found) => runJourney(session, found))
  await steps.run('download', [journey, ended], (found, end) => download(session, found, end))
  await steps.run('cancel', [ended], () => checkCancel(session))
  await steps.run('pull', [ended, reached], (_ended, { localAddress }) =>
    pull(options, session, localAddress),
  )
  await steps.run('clean', [session.jobs.size > 0 ? true : undefined], () => cleanUp(session))
}

async function secure(options: RunChecksOptions, { address }: Reached): Promise<Finding<true>> {
  const { target, signal, limits, token } = options
  if (target.tls) {
    const { certificate, authorities } = options
    const trust = trustOptions({ certificate, authorities })
    return { ...(await checkTls(target, { trust, signal, timeoutMs: limits.connectMs })), value: true }
  }
  if (token === undefined || isLoopback(address)) return { value: true, message: 'none: plain HTTP' }
  return {
    value: true,
    message: 'none: plain HTTP over the network',
    warning: {
      why: 'The token and all files can be read on the way; whoever has the token can run commands on the node.',
      fix: 'Give the node a certificate (ssl_pem in server.ini), or put a proxy with one before it.',
    },
  }
}

/** Token and version: whoever refuses us is not known further, and whoever is no Pulsar gets no verdict on a token. */
async function meet(
  options: RunChecksOptions,
  steps: Steps,
  session: Session,
  reached: Reached | undefined,
): Promise<true | undefined> {
  const { target, signal, limits } = options
  const client: NodeClient = session.client
  const hasToken = options.token !== undefined
  const probeId = session.newJobId('none')
  let identity: Awaited<ReturnType<typeof identify>> | undefined
  if (reached) {
    options.onStart?.('token')
    identity = await identify({ target, client, hasToken, signal, timeoutMs: limits.answerMs, probeId })
  }
  const isForeign = identity?.is === 'foreign'
  const admitted = await steps.run(
    'token',
    [reached, isForeign ? undefined : identity],
    async (found, who) => {
      if (who.is !== 'pulsar') throw who.problem
      const { address } = found
      return session.explained('token', 'a request without the token', async () => ({
        ...(await checkToken(client, { hasToken, address, signal })),
        value: true as const,
      }))
    },
  )
  return steps.run('version', [isForeign ? identity : admitted && identity], async (who) => {
    if (who.is !== 'pulsar') throw who.problem
    const by = who.server === 'Magnetar' ? ', served by Magnetar' : ''
    const manager = target.manager === undefined ? '' : `, manager ${target.manager}`
    return { value: true, message: `Pulsar ${who.version}${by}${manager}` }
  })
}

function pull(options: RunChecksOptions, session: Session, localAddress: string): Promise<Finding<true>> {
  if (options.pull === undefined) throw new LeftOut({ message: 'left out (--no-pull)' })
  return checkPull(session, { ...options.pull, localAddress })
}
