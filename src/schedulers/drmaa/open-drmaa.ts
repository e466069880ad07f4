/** The scheduler of a queued_drmaa manager: through the site's library, or, where that cannot be used, Slurm's own commands. */
import type { ManagerConfig } from '../../config/types.js'
import { messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { pause } from '../../lib/timing.js'
import type { Scheduler } from '../scheduler.js'
import { findHandedOver } from '../slurm/find-handed-over.js'
import type { SlurmService } from '../slurm/service.js'
import { createDrmaaScheduler, type FindInQueue } from './drmaa.js'
import { type DrmaaLibrary, isUnusable } from './library.js'
import { shareLibrary } from './shared-library.js'
import { translateSpecification, withSlurmDrmaaOptions } from './slurm-fallback.js'
import { FALLBACK, libraryPaths, unusableError, whyUnusable } from './unusable.js'

export interface DrmaaDeps {
  readonly log: Logger
  hasSlurm(): Promise<boolean>
  openSlurm(): Promise<SlurmService>
  /** Slurm's own scheduler with this native specification. */
  createSlurm(nativeSpecification: string | undefined): Promise<Scheduler>
  /** For tests: of the compiled library-process. */
  readonly program?: string | undefined
}

/** A library that takes longer is taken for one that works; its calls then show it. */
const START_MS = 5000

/** @throws MagnetarError DRMAA_UNUSABLE when no library can be used and Slurm's commands are not there, or not wanted */
export async function openDrmaa(config: ManagerConfig, deps: DrmaaDeps): Promise<Scheduler> {
  const { log } = deps
  const problems: [string, string][] = []
  for (const path of libraryPaths(config, process.env.DRMAA_LIBRARY_PATH)) {
    const library = shareLibrary({ path, log, program: deps.program })
    try {
      const problem = await Promise.race([library.open(), slowStart()])
      const about = library.info ? `${library.info.system}, DRMAA ${library.info.version}` : 'not loaded yet'
      log.info(`jobs go through the DRMAA library ${path} (${about})`)
      if (problem !== undefined) log.warn(`the DRMAA library does not answer yet: ${problem}`)
      return createDrmaaScheduler({ ...config, findInQueue: queueOf(library, deps) }, library, log)
    } catch (error) {
      library.close()
      if (!isUnusable(error)) throw error
      problems.push([path, messageOf(error)])
    }
  }
  const why = whyUnusable(problems)
  const error = unusableError(config, why, await deps.hasSlurm())
  if (error) throw error
  log.warn({ code: 'DRMAA_UNUSABLE' }, `${why}. ${FALLBACK}`)
  const { nativeSpecification } = config
  return withSlurmDrmaaOptions(
    await deps.createSlurm(nativeSpecification && translateSpecification(nativeSpecification)),
  )
}

async function slowStart(): Promise<string> {
  await pause(START_MS, new AbortController().signal)
  return `it has not opened its session within ${START_MS / 1000} s`
}

/** Slurm's commands know the queue of a library that is Slurm's; which it is may be known only later. */
function queueOf(library: DrmaaLibrary, deps: DrmaaDeps): FindInQueue {
  return async (jobs, signal) => {
    if (!/slurm/i.test(library.info?.system ?? '') || !(await deps.hasSlurm())) return undefined
    return findHandedOver(jobs, await deps.openSlurm(), signal)
  }
}
