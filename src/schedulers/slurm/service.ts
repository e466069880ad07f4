/** All that a process does with Slurm's commands, shared by its managers: limits, timeouts, the breaker, the state query. */
import { type CommandResult, runCommand } from '../../lib/exec.js'
import { createLimit } from '../../lib/limit.js'
import type { Logger } from '../../lib/log.js'
import type { SchedulerProbe } from '../scheduler.js'
import { createAccounting } from './accounting.js'
import { createBreaker } from './breaker.js'
import type { SlurmCommand } from './command.js'
import { downReason, notStartedReason } from './down.js'
import { slurmEnvironment } from './environment.js'
import { buildPartitions, buildVersion, parseVersion, summarize } from './probe.js'
import { buildPing, parsePing } from './scontrol-ping.js'
import { createStateQuery, type StateQuery } from './state-query.js'

export interface SlurmService {
  /** Runs sbatch or scancel. Aborting ends the wait for a place; a command that has begun is not interrupted. @throws SchedulerDown */
  run(command: SlurmCommand, signal: AbortSignal): Promise<CommandResult>
  readonly stateQuery: StateQuery
  /** sbatch calls per second, over the last seconds. */
  submitsPerSecond(): number
  probe(): Promise<SchedulerProbe>
  /** Ends commands that only ask; an sbatch or scancel that has begun goes on by itself. */
  close(): void
}

export interface SlurmServiceOptions {
  readonly log: Logger
  /** Of the server; what would act like options to the commands is taken out. */
  readonly env?: NodeJS.ProcessEnv
  readonly timeoutsMs?: Partial<Record<SlurmCommand['program'], number>>
  /** sbatch processes at once: it is bound by CPU (fork, exec, munge), more do not make it faster. */
  readonly maxSubmits?: number
}

const TIMEOUTS_MS = {
  sbatch: 30_000,
  squeue: 15_000,
  scancel: 30_000,
  scontrol: 3000,
  sacct: 15_000,
  sinfo: 15_000,
}
/** squeue prints about 150 bytes per job. */
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024
const RATE_WINDOW_MS = 2000

export function openSlurm(options: SlurmServiceOptions): SlurmService {
  const { log, maxSubmits = 4 } = options
  const submitEnv = slurmEnvironment(options.env ?? process.env)
  const env = { ...submitEnv, LC_ALL: 'C' }
  const places = { sbatch: createLimit(maxSubmits), others: createLimit(4) }
  const unknownStates = new Set<string>()
  const submits: number[] = []
  const closing = new AbortController()

  function execute(command: SlurmCommand): Promise<CommandResult> {
    const { program, args, cwd } = command
    return runCommand(program, args, {
      timeoutMs: options.timeoutsMs?.[program] ?? TIMEOUTS_MS[program],
      maxOutputBytes: MAX_OUTPUT_BYTES,
      ...(program === 'sbatch' || program === 'scancel' ? {} : { signal: closing.signal }),
      env: program === 'sbatch' ? submitEnv : env,
      ...(cwd === undefined ? {} : { cwd }),
    })
  }

  const breaker = createBreaker({
    log,
    ping: async () => {
      const result = await execute(buildPing()).catch(() => undefined)
      return result !== undefined && parsePing(result)
    },
  })

  async function guarded(command: SlurmCommand): Promise<CommandResult> {
    return breaker.guard(async () => {
      const result = await execute(command).catch((error: unknown) => {
        throw notStartedReason(error) ?? error
      })
      const down = downReason(command.program, result)
      if (down) throw down
      return result
    })
  }

  const stateQuery = createStateQuery({
    run: guarded,
    accounting: createAccounting(execute, log),
    userId: process.getuid?.(),
    onUnknownState: (word) => {
      if (unknownStates.has(word) || unknownStates.size > 100) return
      unknownStates.add(word)
      log.warn(
        `Slurm reports a state that Magnetar does not know: ${word}; such jobs keep the state they had`,
      )
    },
  })

  function submitsPerSecond(): number {
    const begin = performance.now() - RATE_WINDOW_MS
    while (submits[0] !== undefined && submits[0] < begin) submits.shift()
    return submits.length / (RATE_WINDOW_MS / 1000)
  }

  return {
    run(command, signal) {
      const place = command.program === 'sbatch' ? places.sbatch : places.others
      return place(() => {
        signal.throwIfAborted()
        if (command.program === 'sbatch') {
          submitsPerSecond()
          submits.push(performance.now())
        }
        return guarded(command)
      })
    },
    stateQuery,
    submitsPerSecond,
    async probe() {
      const ping = await execute(buildPing()).catch((error: unknown) => {
        throw notStartedReason(error) ?? error
      })
      const version = parseVersion(await execute(buildVersion()))
      if (!parsePing(ping)) {
        const detail = `The controller does not answer: ${ping.stdout.split('\n')[0] || 'no output of scontrol ping'}. See systemctl status slurmctld.`
        return { ok: false, summary: `slurm ${version}`, detail }
      }
      return summarize(version, await execute(buildPartitions()))
    },
    close: () => closing.abort(),
  }
}
