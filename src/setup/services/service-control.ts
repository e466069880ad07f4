import type { Facts, NodePaths, ServiceChoice } from '../types.js'
import { controlSupervisor } from './control-supervisor.js'
import { controlSystemd } from './control-systemd.js'

/** `running` also while it starts or stops; `failed`: it ended and should not have, whether or not it is tried again. */
export type ServiceStatus = 'running' | 'stopped' | 'failed' | 'unknown'

/** Starting and stopping a node that is set up. Every call but lastLogLines throws MagnetarError SERVICE_FAILED. */
export interface ServiceControl {
  /** "Supervisor", "systemd"; for messages. */
  readonly manager: string
  /** What a person types, where there is a manager: "supervisorctl -c … restart pulsar". */
  commandFor(action: 'start' | 'stop' | 'restart' | 'status'): string
  /** Until it runs. Nothing happens when it does. */
  start(signal: AbortSignal): Promise<void>
  /** Until it has ended. Jobs go on. Nothing happens when it does not run. */
  stop(signal: AbortSignal): Promise<void>
  /** Also starts one that was stopped. */
  restart(signal: AbortSignal): Promise<void>
  /** `unknown`: the manager knows no such service, or there is no manager. */
  status(signal: AbortSignal): Promise<ServiceStatus>
  /** What the manager says about the state: "Exited too quickly", "exit code 78"; "" when it says nothing. */
  explain(signal: AbortSignal): Promise<string>
  /** The last lines that the server wrote, oldest first; none when they cannot be had. */
  lastLogLines(signal: AbortSignal): Promise<readonly string[]>
}

/** The control of the service that `kind` says. With `none` nothing is ever done and the status is unknown. */
export function serviceControl(
  kind: ServiceChoice,
  paths: NodePaths,
  facts: Pick<Facts, 'supervisor'>,
): ServiceControl {
  if (kind === 'supervisor') return controlSupervisor(paths, facts.supervisor)
  if (kind === 'systemd') return controlSystemd(paths)
  return noService
}

const noService: ServiceControl = {
  manager: 'no service manager',
  commandFor: () => '',
  async start() {},
  async stop() {},
  async restart() {},
  async status() {
    return 'unknown'
  },
  async explain() {
    return ''
  },
  async lastLogLines() {
    return []
  },
}
