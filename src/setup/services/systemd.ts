/** systemctl: how it is asked, and what its answers mean. (Tried with systemd 252.) */
import { MagnetarError } from '../../lib/errors.js'
import { runService, wordsOf } from './run-service.js'

/** A unit as `systemctl show` tells it. */
export interface UnitStatus {
  /** loaded, not-found, masked, bad-setting */
  readonly load: string
  /** active, activating, deactivating, inactive, failed */
  readonly active: string
  /** running, start, auto-restart, dead, … */
  readonly sub: string
  /** success, exit-code, signal, timeout, … of the last run */
  readonly result: string
  /** Exit code or number of the signal that ended the last run. */
  readonly exitStatus: string
  /** enabled, disabled, masked, or "" when there is no such unit. */
  readonly enabled: string
  /** The file was changed and systemd has not read it since. */
  readonly needsReload: boolean
  /** Of the server; 0: it does not run. */
  readonly pid: number
}

const PROPERTIES =
  'LoadState,ActiveState,SubState,Result,ExecMainStatus,UnitFileState,NeedDaemonReload,MainPID' as const

/** @throws MagnetarError SERVICE_FAILED when systemd does not answer */
export async function unitStatus(name: string, signal: AbortSignal): Promise<UnitStatus> {
  const argv = ['systemctl', 'show', `--property=${PROPERTIES}`, unitOf(name)]
  const result = await runService(argv, signal)
  if (result.code === 0) return parseUnit(result.stdout)
  throw new MagnetarError('SERVICE_FAILED', `systemd does not answer: ${wordsOf(result)}`, {
    fix: `See why: systemctl status ${unitOf(name)}`,
  })
}

/** Of the output of `systemctl show`: NAME=VALUE lines. */
export function parseUnit(output: string): UnitStatus {
  const found = new Map(
    output.split('\n').map((line) => {
      const at = line.indexOf('=')
      return [line.slice(0, at), line.slice(at + 1)] as const
    }),
  )
  const value = (property: string): string => found.get(property) ?? ''
  return {
    load: value('LoadState'),
    active: value('ActiveState'),
    sub: value('SubState'),
    result: value('Result'),
    exitStatus: value('ExecMainStatus'),
    enabled: value('UnitFileState'),
    needsReload: value('NeedDaemonReload') === 'yes',
    pid: Number(value('MainPID')),
  }
}

export function unitOf(name: string): string {
  return `${name}.service`
}
