/** The service changes hands, in either direction. Each step may have been done before, by a run that was killed. */
import { setTimeout as delay } from 'node:timers/promises'
import { createNodeClient } from '../../check/node-client.js'
import type { NodeConfig } from '../../config/types.js'
import { lookUpUser } from '../../lib/accounts.js'
import { MagnetarError } from '../../lib/errors.js'
import type { ServiceStatus } from '../services/service-control.js'
import { serviceFailed } from '../services/service-failed.js'
import { localUrl, readCertificate } from '../verify/node-access.js'
import { askHealth } from '../verify/wait-healthy.js'
import { endPythonServers, findPythonServers } from './python-servers.js'
import { askPython, type PythonAccess } from './server-port.js'
import { isOfPrefix, type ServiceHandle } from './service-handle.js'

export type SwitchStage = 'stop' | 'change' | 'start' | 'verify'

export interface Switch {
  readonly service: ServiceHandle
  readonly name: string
  readonly to: 'magnetar' | 'python'
  /** The program of Magnetar. */
  readonly prefix: string
  /** undefined: it cannot be read, so nothing can be asked. */
  readonly config: NodeConfig | undefined
  /** Why it cannot. */
  readonly configProblem: MagnetarError | undefined
  readonly configDirectory: string
  /** Of the service; undefined: whoever runs its manager. */
  readonly user: string | undefined
  /** How the Python Pulsar is asked; undefined: it cannot be. */
  readonly access: PythonAccess | undefined
  /** Between the stop and the change. */
  afterStop?(): Promise<void>
  /** Brings the file of the service to what it is to be; nothing when it is. */
  change(): Promise<void>
  readonly onStage: (stage: SwitchStage) => void
  readonly limits?: SwitchLimits
}

export interface SwitchLimits {
  readonly startMs: number
  readonly endMs: number
  /** A service that cannot be asked is believed to run when the same process has run so long: Python needs a while to fail. */
  readonly settleMs: number
}

const LIMITS: SwitchLimits = { startMs: 60_000, endMs: 35_000, settleMs: 15_000 }
const PAUSE_MS = 200
/** Asking a service manager costs a process: a tenth of a second with supervisorctl. */
const SERVICE_PAUSE_MS = 500
/** After this a launcher that does not hand the signal on is helped. */
const HELP_AFTER_MS = 1000

/**
 * Stops what runs, changes the command, starts, and waits until the right server answers.
 * @throws MagnetarError SERVICE_FAILED; the signal's reason
 */
export async function switchService(change: Switch, signal: AbortSignal): Promise<void> {
  const { service, to, onStage, limits = LIMITS } = change
  // Of systemd the drop-in comes first: with it a stop leaves the jobs of this machine alone.
  const isEarly = service.control.manager === 'systemd' && to === 'magnetar'
  if (isEarly) {
    onStage('change')
    await change.change()
    await service.load(signal)
  }
  onStage('stop')
  await stopService(change, signal)
  await change.afterStop?.()
  if (!isEarly) {
    onStage('change')
    await change.change()
    await service.load(signal)
  }
  onStage('start')
  await service.start(signal)
  onStage('verify')
  await (to === 'magnetar' ? waitForMagnetar(change, limits, signal) : waitForPython(change, limits, signal))
}

/** The manager's stop, and an end to the servers that it does not know: the Python launcher is a shell that keeps the signal to itself. */
export async function stopService(
  { service, configDirectory, user, limits = LIMITS }: Omit<Switch, 'to' | 'change'>,
  signal: AbortSignal,
): Promise<void> {
  const account = user === undefined ? undefined : await lookUpUser(user, signal)
  const place = { configDirectories: [configDirectory], uid: account?.uid }
  const servers = await findPythonServers(place)
  let stopped = false
  const stopping = service.control.stop(signal).finally(() => {
    stopped = true
  })
  const helping = (async () => {
    for (let waitedMs = 0; waitedMs < HELP_AFTER_MS && !stopped; waitedMs += PAUSE_MS) await delay(PAUSE_MS)
    // When the manager cannot stop it, it would only start another.
    if (stopped) await stopping
    // A launcher that had only just started has its server by now.
    const more = (await findPythonServers(place)).filter(
      (each) => !servers.some(({ pid }) => pid === each.pid),
    )
    await endPythonServers([...servers, ...more], limits.endMs)
  })()
  await Promise.all([stopping, helping])
}

/** The file as it is to be, and the service stopped, whatever it runs now. */
export async function leaveStopped(change: Omit<Switch, 'to'>, signal: AbortSignal): Promise<void> {
  await stopService(change, signal)
  await change.afterStop?.()
  await change.change()
  await change.service.reread(signal)
  await stopService(change, signal)
}

/** Starts Magnetar, waits until it answers, and stops it: what a clean stop leaves is there then. */
export async function restartMagnetar(
  change: Omit<Switch, 'to' | 'change'>,
  signal: AbortSignal,
): Promise<void> {
  const { service, limits = LIMITS } = change
  await service.load(signal)
  await service.start(signal)
  await waitForMagnetar(change, limits, signal)
  await stopService(change, signal)
}

type Waited = Omit<Switch, 'to' | 'change'>

async function waitForMagnetar(change: Waited, limits: SwitchLimits, signal: AbortSignal): Promise<void> {
  const { config, configProblem, service, prefix } = change
  if (config === undefined)
    throw new MagnetarError(
      'SERVICE_FAILED',
      `Magnetar cannot start with this configuration: ${configProblem?.message ?? 'it cannot be read'}`,
    )
  const url = localUrl(config.server)
  const { sslPem } = config.server
  const certificate = sslPem === undefined ? undefined : await readCertificate(sslPem, signal)
  const client = createNodeClient({ url, token: config.privateToken, certificate })
  await wait(change, limits, signal, async () => {
    const problem = await askHealth({ client, url }, signal)
    if (problem) return problem.message
    const pid = await service.pid(signal)
    return pid === undefined || (await isOfPrefix(pid, prefix))
      ? undefined
      : `the service runs another program than ${prefix}/bin`
  })
}

async function waitForPython(change: Waited, limits: SwitchLimits, signal: AbortSignal): Promise<void> {
  let sinceMs = performance.now()
  let last: number | undefined
  await wait(change, limits, signal, async () => {
    const problem = change.access && (await askPython(change.access, signal))
    if (problem !== undefined) return problem
    const pid = await change.service.pid(signal)
    if (pid !== undefined && (await isOfPrefix(pid, change.prefix))) return 'the service still runs Magnetar'
    if (change.access) return undefined
    if (pid === undefined || pid !== last) sinceMs = performance.now()
    last = pid
    return performance.now() - sinceMs > limits.settleMs ? undefined : 'it has only just started'
  })
}

/** Until `ask` finds nothing wrong; at once when the service has failed. */
async function wait(
  { service, name }: Waited,
  { startMs }: SwitchLimits,
  signal: AbortSignal,
  ask: () => Promise<string | undefined>,
): Promise<void> {
  const { control } = service
  const deadlineMs = performance.now() + startMs
  let askServiceMs = 0
  let status: ServiceStatus = 'unknown'
  for (;;) {
    signal.throwIfAborted()
    const problem = await ask()
    if (problem === undefined || performance.now() >= askServiceMs) {
      status = await control.status(signal)
      askServiceMs = performance.now() + SERVICE_PAUSE_MS
    }
    if (problem === undefined && status === 'running') return
    if (status === 'failed' || status === 'stopped') {
      const why = await control.explain(signal)
      throw await serviceFailed(control, `${name} was started, but does not run${why && ` (${why})`}`, signal)
    }
    if (performance.now() > deadlineMs)
      throw await serviceFailed(
        control,
        `${name} was started, but is not well: ${problem ?? status} (${startMs / 1000} s long)`,
        signal,
      )
    await delay(PAUSE_MS)
  }
}
