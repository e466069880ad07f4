import type { Change, CommandChange, Conflict, SetupContext, StepPlan, SupervisorFacts } from '../types.js'
import { needsRestart } from './restart-causes.js'
import { type Pending, type ProgramStatus, supervisorctl } from './supervisor.js'

export interface ProgramSituation {
  /** undefined: Supervisor knows no such program, or does not run. */
  readonly program: ProgramStatus | undefined
  readonly pending: Pending | undefined
  /** A file that the running server has not read yet. */
  readonly unread: string | undefined
  /** Why Supervisor cannot be told anything: it cannot read its files. */
  readonly broken: string | undefined
  /** The program file changes. */
  readonly isWritten: boolean
  /** `autostart`, which an admin may have switched off. */
  readonly startsByItself: boolean
  readonly earlier: readonly Change[]
}

/** A stop takes up to stopwaitsecs: 10 s unless an admin says more. */
const TIMEOUT_MS = 60_000
/** Of the program's log, shown when it does not start. */
const LOG_BYTES = 2000

/** What Supervisor has to be told for the program to run, with the files as the plan leaves them. Pure. */
export function planSupervisorCommands(
  step: string,
  { answers, paths, facts }: SetupContext,
  supervisor: SupervisorFacts,
  situation: ProgramSituation,
): StepPlan {
  const { program, pending, unread, broken, isWritten, startsByItself, earlier } = situation
  const name = paths.serviceName
  const ctl = (...args: string[]): readonly string[] => supervisorctl(supervisor, ...args)
  const mustUpdate = isWritten || program === undefined || pending !== undefined
  const isStale = unread !== undefined || earlier.some((change) => needsRestart(paths, change))
  const runs = program !== undefined && ['RUNNING', 'STARTING'].includes(program.state)
  const conflict = (message: string): StepPlan => {
    const found: Conflict = { path: supervisor.configFile, key: undefined, message }
    return { changes: [], conflicts: [found], notes: [] }
  }
  if (!answers.start) {
    const notes: string[] = []
    if (!runs) {
      const now = ctl('update', name).join(' ')
      notes.push(
        `${name} is not started (--no-start): Supervisor starts it with itself, at boot; now: ${now}`,
      )
    } else if (mustUpdate || isStale) {
      const now = ctl(mustUpdate ? 'update' : 'restart', name).join(' ')
      notes.push(
        `${name} is not restarted (--no-start): it runs as it was before until its next start; now: ${now}`,
      )
    }
    return { changes: [], conflicts: [], notes }
  }
  if (!supervisor.running) {
    const how = facts.systemd?.running
      ? 'systemctl start supervisor'
      : `supervisord -c ${supervisor.configFile}`
    return conflict(
      `Supervisor does not run and cannot start the node. Start it (${how}) and run setup again, or set the node up without starting it: --no-start`,
    )
  }
  if (broken !== undefined) return conflict(`${broken}. Correct that file and run setup again`)

  const changes: CommandChange[] = []
  const add = (command: Pick<CommandChange, 'title' | 'argv' | 'undo' | 'undoLast'>): void => {
    const explain = ctl('tail', `-${LOG_BYTES}`, name)
    changes.push({
      kind: 'command',
      step,
      counts: 'service',
      timeoutMs: TIMEOUT_MS,
      touches: [],
      explain,
      ...command,
    })
  }
  // With the file as it was before, the same command starts it as before, or stops it and forgets it.
  const update = { argv: ctl('update', name), undo: undefined, undoLast: ctl('update', name) }
  const restart = { argv: ctl('restart', name), undo: undefined, undoLast: ctl('restart', name) }
  if (mustUpdate) add({ title: `have Supervisor run ${name} as its file says`, ...update })
  if (runs ? isStale : program?.state === 'BACKOFF') add({ title: `restart ${name}`, ...restart })
  else if (mustUpdate ? !startsByItself : !runs)
    add({ title: `start ${name}`, argv: ctl('start', name), undo: ctl('stop', name) })
  return { changes, conflicts: [], notes: [] }
}
