import type { NodePaths } from '../types.js'
import { runService, wordsOf } from './run-service.js'
import { recentComplaints } from './server-log.js'
import type { ServiceControl, ServiceStatus } from './service-control.js'
import { serviceFailed } from './service-failed.js'
import { type UnitStatus, unitOf, unitStatus } from './systemd.js'

/** systemd itself gives a start 90 s (DefaultTimeoutStartSec). */
const ACTION_TIMEOUT_MS = 100_000
const MAX_LINES = 12

/** The node as a unit of the system's systemd. */
export function controlSystemd(paths: Pick<NodePaths, 'serviceName' | 'serverLog'>): ServiceControl {
  const name = paths.serviceName
  const unit = unitOf(name)

  async function act(action: string, signal: AbortSignal): Promise<void> {
    const result = await runService(['systemctl', action, unit], signal, ACTION_TIMEOUT_MS)
    if (result.code === 0) return
    const why = await explain(signal).catch(() => '')
    throw await serviceFailed(
      control,
      `systemd could not ${action} ${name}: ${why || wordsOf(result)}`,
      signal,
    )
  }

  async function explain(signal: AbortSignal): Promise<string> {
    return explainUnit(await unitStatus(name, signal))
  }

  const control: ServiceControl = {
    manager: 'systemd',
    commandFor: (action) => `systemctl ${action} ${name}`,
    start: (signal) => act('start', signal),
    async stop(signal) {
      // systemctl calls it an error that there is nothing to stop.
      if ((await unitStatus(name, signal)).load !== 'not-found') await act('stop', signal)
    },
    restart: (signal) => act('restart', signal),
    async status(signal) {
      return serviceStatusOf(await unitStatus(name, signal))
    },
    explain,
    async lastLogLines(signal) {
      const argv = ['journalctl', '--unit', unit, '--lines', String(MAX_LINES), '--no-pager', '--quiet']
      // What cannot be had must not hide the failure that it would explain.
      const tail = await runService([...argv, '--output', 'cat'], signal)
        .then(({ code, stdout }) => (code === 0 ? stdout : ''))
        .catch(() => '')
      const lines = tail.split('\n').filter((line) => line.trim() !== '')
      return [...lines, ...(await recentComplaints(paths.serverLog))].slice(-MAX_LINES)
    },
  }
  return control
}

/** A unit that waits for its next try has failed just now. */
export function serviceStatusOf(unit: UnitStatus): ServiceStatus {
  if (unit.load === 'not-found' || unit.active === '') return 'unknown'
  if (unit.active === 'failed' || unit.sub === 'auto-restart') return 'failed'
  return unit.active === 'inactive' ? 'stopped' : 'running'
}

/** "failed: exit code 78", "active: running" */
export function explainUnit({ load, active, sub, result, exitStatus }: UnitStatus): string {
  if (load !== 'loaded') return `the unit is ${load}`
  const ended: Readonly<Record<string, string>> = {
    'exit-code': `exit code ${exitStatus}`,
    signal: `ended by signal ${exitStatus}`,
    'core-dump': `ended by signal ${exitStatus}`,
    timeout: 'it did not get ready, or did not stop, in time',
    'oom-kill': 'out of memory',
    'start-limit-hit': 'it ended too often, and is not started again',
  }
  return result === 'success' || result === '' ? `${active}: ${sub}` : `${active}: ${ended[result] ?? result}`
}
