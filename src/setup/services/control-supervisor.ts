import { MagnetarError } from '../../lib/errors.js'
import type { NodePaths, SupervisorFacts } from '../types.js'
import { runService, wordsOf } from './run-service.js'
import { recentComplaints } from './server-log.js'
import type { ServiceControl, ServiceStatus } from './service-control.js'
import { serviceFailed } from './service-failed.js'
import { type ProgramStatus, programStatus, supervisorctl } from './supervisor.js'

/** A stop takes stopwaitsecs (10 s unless an admin says more), a start startsecs (1 s). */
const ACTION_TIMEOUT_MS = 60_000
const TAIL_BYTES = 4000
const MAX_LINES = 12

const STATUS: Readonly<Record<string, ServiceStatus>> = {
  STARTING: 'running',
  RUNNING: 'running',
  STOPPING: 'running',
  STOPPED: 'stopped',
  EXITED: 'stopped',
  BACKOFF: 'failed',
  FATAL: 'failed',
}

/** The node as a program of Supervisor. */
export function controlSupervisor(
  paths: Pick<NodePaths, 'serviceName' | 'serverLog'>,
  facts: SupervisorFacts | undefined,
): ServiceControl {
  const name = paths.serviceName
  const supervisor = (): SupervisorFacts => {
    if (facts) return facts
    throw new MagnetarError(
      'SERVICE_FAILED',
      'no Supervisor is installed here, but the node is set up for it',
      {
        fix: 'Install it (apt install supervisor), or run setup with --systemd or --no-service.',
      },
    )
  }
  const ask = (signal: AbortSignal): Promise<ProgramStatus | undefined> =>
    programStatus(supervisor(), name, signal)

  /** `harmless`: what it says when there was nothing to do. */
  async function act(action: string, harmless: RegExp | undefined, signal: AbortSignal): Promise<void> {
    const result = await runService(supervisorctl(supervisor(), action, name), signal, ACTION_TIMEOUT_MS)
    const errors = result.stdout.split('\n').filter((line) => /ERROR|error:/.test(line))
    const failed = errors.length > 0 ? !errors.every((line) => harmless?.test(line)) : result.code !== 0
    if (!failed) return
    const why = await explain(signal).catch(() => '')
    const message = `Supervisor could not ${action} ${name}: ${why || wordsOf(result)}`
    throw await serviceFailed(control, message, signal)
  }

  async function explain(signal: AbortSignal): Promise<string> {
    const found = await ask(signal)
    if (!found) return 'Supervisor knows no such program'
    return `${found.state} ${found.detail}`.trim()
  }

  const control: ServiceControl = {
    manager: 'Supervisor',
    commandFor: (action) => (facts ? supervisorctl(facts, action, name).join(' ') : ''),
    start: (signal) => act('start', /already started/, signal),
    stop: (signal) => act('stop', /not running/, signal),
    // Says "not running" of one that was stopped, and then starts it.
    restart: (signal) => act('restart', /not running/, signal),
    async status(signal) {
      if (!facts) return 'unknown'
      return STATUS[(await ask(signal))?.state ?? ''] ?? 'unknown'
    },
    explain,
    async lastLogLines(signal) {
      // What cannot be had must not hide the failure that it would explain.
      const tail = await runService(supervisorctl(supervisor(), 'tail', `-${TAIL_BYTES}`, name), signal)
        .then(({ code, stdout }) => (code === 0 ? stdout : ''))
        .catch(() => '')
      const lines = tail.split('\n').filter((line) => line.trim() !== '' && !/^\S+: ERROR \(/.test(line))
      return [...lines, ...(await recentComplaints(paths.serverLog))].slice(-MAX_LINES)
    },
  }
  return control
}
