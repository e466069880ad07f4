import { loadConfig } from '../../config/load.js'
import type { NodeConfig } from '../../config/types.js'
import { type ControlClient, connectControl, notRunning } from '../../control/client.js'
import { controlPlace } from '../../control/socket-path.js'
import type {
  AuditFilter,
  AuditReport,
  JobDetails,
  JobFilter,
  JobList,
  NodeStatus,
} from '../../control/types.js'
import { MagnetarError } from '../../lib/errors.js'
import { type NodeRecords, openRecords, statusWithoutRecords } from '../../node/records.js'
import { openConfig } from '../config/config-directory.js'
import { restartCommand } from '../config/restart-hint.js'
import type { Terminal } from '../config/terminal.js'
import { version } from '../package.js'

/** A node as the commands of its admins see it: its running server, or the records of a stopped one. */
export interface NodeView {
  readonly config: NodeConfig
  /** undefined: the server does not run. */
  readonly control: ControlClient | undefined
  status(): Promise<NodeStatus>
  jobs(filter: JobFilter): Promise<JobList>
  job(id: string, manager?: string): Promise<JobDetails>
  audit(filter: AuditFilter): Promise<AuditReport>
  close(): Promise<void>
}

/** @throws MagnetarError when the configuration is wrong, or this user may not look at the node */
export async function openNode(
  given: string | undefined,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<NodeView> {
  const options = await openConfig(given, terminal)
  return viewNode(await loadConfig({ ...options, signal }), signal)
}

export async function viewNode(config: NodeConfig, signal: AbortSignal): Promise<NodeView> {
  const control = await connectControl(controlPlace(config), signal)
  if (control) {
    const { status, jobs, job, audit } = control
    return { config, control, status, jobs, job, audit, close: async () => {} }
  }
  let opened: Promise<NodeRecords> | undefined
  const records = (): Promise<NodeRecords> => {
    opened ??= openRecords(config, signal)
    return opened
  }
  return {
    config,
    control: undefined,
    status: async () => {
      try {
        return await (await records()).status(version())
      } catch (error) {
        if (!(error instanceof MagnetarError) || error.code === 'NOT_PERMITTED') throw error
        return statusWithoutRecords(config, version(), error)
      }
    },
    jobs: async (filter) => (await records()).jobs(filter),
    job: async (id, manager) => (await records()).job(id, manager),
    audit: async (filter) => (await records()).audit(filter),
    // Why they could not be opened has been told to whoever wanted them.
    close: async () => (await opened?.catch(() => undefined))?.close(),
  }
}

/** The running server. @throws MagnetarError NODE_NOT_RUNNING, with the command that starts the service where setup made it */
export async function controlOf({ control, config }: NodeView): Promise<ControlClient> {
  if (control) return control
  throw notRunning(await restartCommand(config.configDirectory).catch(() => undefined))
}

export const STOPPED = 'The server is not running; this is what its records say.'
