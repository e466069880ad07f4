import { messageOf } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { backoffMs, pause } from '../lib/timing.js'
import type { NodeControl } from './node-control.js'
import { type ControlServer, listenForControl } from './server.js'
import type { ControlPlace } from './socket-path.js'

/** Pauses between the attempts, from the first to the longest. */
export interface ListenPauses {
  readonly firstMs: number
  readonly maxMs: number
}

const PAUSES: ListenPauses = { firstMs: 1000, maxMs: 60_000 }

/**
 * Listens for the admins' commands. Where it cannot (a disk that fails, the socket of a server that is just ending) it tries again, with
 * pauses of up to a minute, until it can or is closed: jobs are run meanwhile, and the log says once that nobody can ask, once that they
 * can. Resolves after the first attempt; never rejects.
 */
export async function keepListening(
  place: ControlPlace,
  control: NodeControl,
  log: Logger,
  pauses: ListenPauses = PAUSES,
): Promise<ControlServer> {
  const closing = new AbortController()
  let server: ControlServer | undefined

  async function listen(): Promise<unknown> {
    try {
      server = await listenForControl(place, control, log)
      return undefined
    } catch (error) {
      return error
    }
  }

  async function retry(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      await pause(backoffMs(attempt, pauses.firstMs, pauses.maxMs), closing.signal)
      if (closing.signal.aborted) return
      if ((await listen()) === undefined) {
        log.info('magnetar status and jobs can ask this server again')
        return
      }
    }
  }

  const failure = await listen()
  if (failure !== undefined)
    log.warn(
      `magnetar status and jobs cannot ask this server until it has its control socket, which it tries again: ${messageOf(failure)}`,
    )
  const retrying = failure === undefined ? Promise.resolve() : retry()
  return {
    async close() {
      closing.abort()
      await retrying
      await server?.close()
    },
  }
}
