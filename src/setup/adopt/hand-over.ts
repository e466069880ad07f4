/** The way back of jobs: a Python Pulsar finds only those that a clean stop of Magnetar has left it. */
import type { NodeConfig } from '../../config/types.js'
import { probeNotLeft } from '../../jobs/not-left-probe.js'
import { MagnetarError, messageOf } from '../../lib/errors.js'

/** How many jobs stand in Magnetar's records alone. Only of a server that does not run. */
export type CountNotHandedOver = (config: NodeConfig, signal: AbortSignal) => Promise<number>

export interface HandOver {
  readonly config: NodeConfig
  readonly count: CountNotHandedOver
  /** For people: "supervisorctl -c … start pulsar". */
  readonly commands: { readonly start: string; readonly stop: string }
  readonly configDirectory: string
  /** Starts Magnetar as the service, waits until it answers, and has it stopped. */
  restart(): Promise<void>
}

/** So often, as long as each time leaves fewer: a stop has only some seconds for it. */
const MOST_TRIES = 5

/**
 * Sees that a stopped Magnetar has left all of its jobs to the Python Pulsar; where it was killed, or had no time, it is started once
 * more and stopped.
 * @throws MagnetarError ADOPT_FAILED when jobs remain that only Magnetar knows
 */
export async function handOver(parts: HandOver, signal: AbortSignal): Promise<void> {
  const { config, count, restart } = parts
  let left = await count(config, signal)
  for (let tries = 0; left > 0; tries++) {
    try {
      await restart()
    } catch (error) {
      signal.throwIfAborted()
      throw onlyInRecords(parts, left, `it could not be started once more: ${messageOf(error)}`, error)
    }
    const now = await count(config, signal)
    if (now > 0 && (now >= left || tries >= MOST_TRIES)) throw notLeft(parts, now)
    left = now
  }
}

/** What could not be written is to be mended first; else it had no time. */
function notLeft(parts: HandOver, left: number): MagnetarError {
  const { config, commands, configDirectory } = parts
  const reason = probeNotLeft(config.persistenceDirectory, config.managers)
  if (reason === undefined)
    return onlyInRecords(
      parts,
      left,
      'its service was stopped before it could leave them to the Python Pulsar',
    )
  const why = `when its service was stopped it could not leave them to the Python Pulsar: ${reason}`
  return new MagnetarError('ADOPT_FAILED', `${describeLeft(left)}: ${why}`, {
    fix: `Mend that (the user of the service has to be able to write there, and there has to be room), then run the same command again: it starts Magnetar (${commands.start}) and stops it once more. What its jobs are: magnetar jobs --config ${configDirectory}. With --force the Python Pulsar runs without them.`,
  })
}

function onlyInRecords(
  { commands, configDirectory }: HandOver,
  left: number,
  why: string,
  cause?: unknown,
): MagnetarError {
  return new MagnetarError('ADOPT_FAILED', `${describeLeft(left)}, and ${why}`, {
    fix: `Have Magnetar start and stop in good order: ${commands.start}; then ${commands.stop}, with time enough (stopwaitsecs of Supervisor, TimeoutStopSec of systemd: 30). What its jobs are: magnetar jobs --config ${configDirectory}. Then run the same command again; with --force the Python Pulsar runs without them.`,
    cause,
  })
}

/** "3 jobs stand in the records of Magnetar alone (it was killed, or …): the Python Pulsar does not know them" */
export function describeLeft(left: number): string {
  const [jobs, them] = left === 1 ? ['1 job stands', 'it'] : [`${left} jobs stand`, 'them']
  return `${jobs} in the records of Magnetar alone, which was not stopped in good order: the Python Pulsar would not know ${them}`
}
