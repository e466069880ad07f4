/** Whether the library of a manager can be loaded, without opening a session: for `config validate`. */
import type { ManagerConfig } from '../../config/types.js'
import { messageOf } from '../../lib/errors.js'
import { startSession } from './session.js'
import { FALLBACK, libraryPaths, unusableError, whyUnusable } from './unusable.js'

const LIMIT_MS = 10_000

/**
 * Resolves with a warning, if there is one.
 * @throws MagnetarError DRMAA_UNUSABLE, as the start of the node would
 */
export async function probeLibrary(
  config: ManagerConfig,
  {
    fromEnvironment,
    hasSlurm,
    program,
  }: {
    readonly fromEnvironment: string | undefined
    readonly hasSlurm: boolean
    readonly program?: string | undefined
  },
): Promise<string | undefined> {
  const problems: [string, string][] = []
  for (const path of libraryPaths(config, fromEnvironment)) {
    const limits = { startLimitMs: LIMIT_MS, callLimitMs: LIMIT_MS }
    const session = startSession({ path, program, ...limits, onLost: () => {} })
    try {
      await session.load()
      return undefined
    } catch (error) {
      problems.push([path, messageOf(error)])
    } finally {
      session.kill()
    }
  }
  const why = whyUnusable(problems)
  const error = unusableError(config, why, hasSlurm)
  if (error) throw error
  return `manager ${config.name}: ${why}. ${FALLBACK}`
}
