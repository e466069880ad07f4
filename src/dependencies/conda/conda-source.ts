import { join } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { untilAborted } from '../../lib/until-aborted.js'
import { installConda } from './auto-init.js'
import { type CondaTool, probeConda } from './conda-tool.js'
import type { CondaSettings } from './settings.js'

/** The conda of a resolver: found, or installed, once. */
export interface CondaSource {
  /** @throws MagnetarError CONDA_UNAVAILABLE, for a while without looking again; the signal's reason */
  find(log: Logger, signal: AbortSignal): Promise<CondaTool>
}

/** An installation that failed is not tried again for each job. */
const FAILURE_MEMORY_MS = 60_000

/** Where exec names another Conda, that is what is to be corrected. */
function fixOf({ prefix, exec }: CondaSettings): string {
  return exec === join(prefix, 'bin', 'conda') || exec === 'conda'
    ? `Let the node install it: "magnetar config set conda_auto_init true". Or name one that is there: "magnetar config set conda_exec /opt/conda/bin/conda". Then restart the node.`
    : 'Correct exec in the resolver file (conda_exec in app.yml), then restart the node: the path of a conda, mamba or micromamba that its user may run.'
}

export function createCondaSource(
  settings: CondaSettings,
  { probe = probeConda, install = installConda, memoryMs = FAILURE_MEMORY_MS } = {},
): CondaSource {
  let finding: Promise<CondaTool> | undefined
  let waiting = 0
  let controller = new AbortController()

  async function look(log: Logger, signal: AbortSignal): Promise<CondaTool> {
    if (settings.autoInit) return install(settings, log, signal)
    try {
      return await probe(settings, signal)
    } catch (error) {
      if (!(error instanceof MagnetarError)) throw error
      throw new MagnetarError('CONDA_UNAVAILABLE', error.message, {
        fix: fixOf(settings),
        cause: error,
      })
    }
  }

  function begin(log: Logger): Promise<CondaTool> {
    controller = new AbortController()
    const { signal } = controller
    const begun = look(log, signal)
    begun.catch(() => {
      const forget = (): void => {
        if (finding === begun) finding = undefined
      }
      if (signal.aborted) forget()
      else setTimeout(forget, memoryMs).unref()
    })
    return begun
  }

  return {
    async find(log, signal) {
      finding ??= begin(log)
      const [mine, stop] = [finding, controller]
      waiting++
      try {
        return await untilAborted(mine, signal)
      } finally {
        waiting--
        // Nobody waits for it any more: at a stop, an installation ends with the server.
        if (waiting === 0 && signal.aborted) {
          if (finding === mine && !stop.signal.aborted) stop.abort(signal.reason)
        }
      }
    },
  }
}
