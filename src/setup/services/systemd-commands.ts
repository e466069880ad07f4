import type { Change, CommandChange, SetupContext, StepPlan } from '../types.js'
import { serviceStatusOf } from './control-systemd.js'
import { needsRestart } from './restart-causes.js'
import { type UnitStatus, unitOf } from './systemd.js'

/** systemd gives a start 90 s of its own. */
const TIMEOUT_MS = 100_000
const LOG_LINES = 5

export interface UnitSituation {
  /** undefined: systemd does not run here. */
  readonly unit: UnitStatus | undefined
  /** What the running server has not read yet. */
  readonly unread: string | undefined

  /** The unit changes. */
  readonly isWritten: boolean
  /** It is enabled. */
  readonly isLinked: boolean
  readonly earlier: readonly Change[]
}

/** What systemd has to be told for the unit to run, with the files as the plan leaves them. Pure. */
export function planUnitCommands(
  step: string,
  { answers, paths }: SetupContext,
  { unit, unread, isWritten, isLinked, earlier }: UnitSituation,
): Pick<StepPlan, 'changes' | 'notes'> {
  const name = paths.serviceName
  if (!unit)
    return {
      changes: [],
      notes: [`${name} is not started: systemd does not run here, and starts it when the system boots`],
    }
  const changes: CommandChange[] = []
  const add = (
    command: Pick<CommandChange, 'title' | 'argv' | 'counts' | 'undo' | 'undoLast' | 'explain'>,
  ): void => {
    changes.push({ kind: 'command', step, timeoutMs: TIMEOUT_MS, touches: [], ...command })
  }
  const reload = ['systemctl', 'daemon-reload']
  if (isWritten || isLinked || unit.needsReload || unit.load === 'not-found')
    add({
      title: 'have systemd read its units',
      argv: reload,
      counts: 'service',
      undo: undefined,
      undoLast: reload,
    })

  const runs = serviceStatusOf(unit) === 'running'
  const isStale = isWritten || unread !== undefined || earlier.some((change) => needsRestart(paths, change))
  if (!answers.start) {
    const how = `now: systemctl ${runs ? 'restart' : 'start'} ${name}`
    if (!runs)
      return { changes, notes: [`${name} is not started (--no-start): systemd starts it at boot; ${how}`] }
    const note = `${name} is not restarted (--no-start): it runs as it was before until its next start; ${how}`
    return { changes, notes: isStale ? [note] : [] }
  }
  const explain = [
    'journalctl',
    '--unit',
    unitOf(name),
    '--lines',
    String(LOG_LINES),
    '--no-pager',
    '--output',
    'cat',
  ]
  const argv = (action: string): string[] => ['systemctl', action, unitOf(name)]
  if (!runs) {
    const start = { title: `start ${name}`, argv: argv('start'), counts: 'service', explain } as const
    add({ ...start, undo: argv('stop') })
  } else if (isStale) {
    const restart = { title: `restart ${name}`, argv: argv('restart'), counts: 'service', explain } as const
    // With the files as they were before.
    add({ ...restart, undo: undefined, undoLast: argv('restart') })
  }
  return { changes, notes: [] }
}
