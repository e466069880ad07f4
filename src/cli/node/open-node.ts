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
  /** undefined: the server does not run, or does not answer. */
  readonly control: ControlClient | undefined
  /** Why it does not answer, though something listens there. */
  readonly silence: MagnetarError | undefined
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
  let silence: MagnetarError | undefined
  const control = await connectControl(controlPlace(config), signal).catch((error: unknown) => {
    if (!(error instanceof MagnetarError && error.code === 'NODE_SILENT')) throw error
    silence = error
    return undefined
  })
  if (control) {
    const { status, jobs, job, audit } = control
    return { config, control, silence, status, jobs, job, audit, close: async () => {} }
  }
  const silent = silence === undefined ? {} : { silent: true }
  let opened: Promise<NodeRecords> | undefined
  const records = (): Promise<NodeRecords> => {
    opened ??= openRecords(config, signal)
    return opened
  }
  return {
    config,
    control: undefined,
    silence,
    status: async () => {
      try {
        return { ...(await (await records()).status(version())), ...silent }
      } catch (error) {
        if (!(error instanceof MagnetarError) || error.code === 'NOT_PERMITTED') throw error
        return { ...(await statusWithoutRecords(config, version(), error)), ...silent }
      }
    },
    jobs: async (filter) => ({ ...(await (await records()).jobs(filter)), ...silent }),
    job: async (id, manager) => (await records()).job(id, manager),
    async audit(filter) {
      // A store that somebody may be writing to is no evidence against anybody.
      if (silence) throw await withRestart(silence, config.configDirectory)
      return (await records()).audit(filter)
    },
    // Why they could not be opened has been told to whoever wanted them.
    close: async () => (await opened?.catch(() => undefined))?.close(),
  }
}

/**
 * The running server.
 * @throws MagnetarError NODE_NOT_RUNNING or NODE_SILENT, with the command that starts the service where setup made it
 */
export async function controlOf({ control, silence, config }: NodeView): Promise<ControlClient> {
  if (control) return control
  if (silence) throw await withRestart(silence, config.configDirectory)
  throw notRunning(await restartCommand(config.configDirectory).catch(() => undefined))
}

/** The NODE_SILENT with the command that restarts the service, where setup made it. */
export async function withRestart(silence: MagnetarError, configDirectory: string): Promise<MagnetarError> {
  const restart = await restartCommand(configDirectory).catch(() => undefined)
  if (restart === undefined) return silence
  const fix = `magnetar doctor says more. To restart it, which leaves jobs alone: ${restart}`
  return new MagnetarError(silence.code, silence.message, { fix, cause: silence.cause })
}

export const STOPPED = 'The server is not running; this is what its records say.'
const SILENT = 'The server does not answer; this is what its records say. To find out why: magnetar doctor'

/** What is said where the records answer instead of the server. */
export function sayStopped({ silent }: { readonly silent?: boolean | undefined }): string {
  return silent ? SILENT : STOPPED
}
