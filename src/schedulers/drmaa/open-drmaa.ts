/** The scheduler of a queued_drmaa manager: through the site's library, or, where that cannot be used, Slurm's own commands. */
import type { ManagerConfig } from '../../config/types.js'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { pause } from '../../lib/timing.js'
import type { Scheduler } from '../scheduler.js'
import { findHandedOver } from '../slurm/find-handed-over.js'
import type { SlurmService } from '../slurm/service.js'
import { createDrmaaScheduler, type FindInQueue } from './drmaa.js'
import { type DrmaaLibrary, isUnusable } from './library.js'
import { shareLibrary } from './shared-library.js'
import { translateSpecification, withSlurmDrmaaOptions } from './slurm-fallback.js'

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
/** What the Python Pulsar loads without DRMAA_LIBRARY_PATH (drmaa-python: ctypes' find_library('drmaa')). */
const STANDARD_NAMES = ['libdrmaa.so', 'libdrmaa.so.1', 'libdrmaa.so.1.0']

/** @throws MagnetarError DRMAA_UNUSABLE when no library can be used and Slurm's commands are not there, or not wanted */
export async function openDrmaa(config: ManagerConfig, deps: DrmaaDeps): Promise<Scheduler> {
  const { log } = deps
  const named = config.drmaaLibraryPath ?? (process.env.DRMAA_LIBRARY_PATH || undefined)
  const problems: string[] = []
  for (const path of named === undefined ? STANDARD_NAMES : [named]) {
    const library = shareLibrary({ path, log, program: deps.program })
    try {
      const problem = await Promise.race([library.open(), slowStart()])
      const about = library.info ? `${library.info.system}, DRMAA ${library.info.version}` : 'not loaded yet'
      log.info(`jobs go through the DRMAA library ${path} (${about})`)
      if (problem !== undefined) log.warn(`the DRMAA library does not answer yet: ${problem}`)
      return createDrmaaScheduler({ ...config, findInQueue: await queueOf(library, deps) }, library, log)
    } catch (error) {
      library.close()
      if (!isUnusable(error)) throw error
      problems.push(`${path}: ${messageOf(error)}`)
    }
  }
  const why =
    named === undefined
      ? `no DRMAA library is named, and there is no ${STANDARD_NAMES[0]} where the system looks for libraries`
      : `the DRMAA library cannot be used: ${problems.join('; ')}`
  const hasSlurm = await deps.hasSlurm()
  if (!hasSlurm || !config.drmaaFallback) {
    const instead = hasSlurm
      ? "drmaa_fallback: false forbids Slurm's own commands"
      : 'and there is no sbatch to use instead'
    throw new MagnetarError('DRMAA_UNUSABLE', `manager ${config.name}: ${why}; ${instead}`)
  }
  log.warn(
    { code: 'DRMAA_UNUSABLE' },
    `${why}. Jobs are submitted with Slurm's own commands instead. To use the library: set drmaa_library_path in this manager, or DRMAA_LIBRARY_PATH; to be content with this: type: slurm`,
  )
  const { nativeSpecification } = config
  return withSlurmDrmaaOptions(
    await deps.createSlurm(nativeSpecification && translateSpecification(nativeSpecification)),
  )
}

async function slowStart(): Promise<string> {
  await pause(START_MS, new AbortController().signal)
  return `it has not opened its session within ${START_MS / 1000} s`
}

/** Slurm's commands know the queue of a library that is Slurm's. */
async function queueOf(library: DrmaaLibrary, deps: DrmaaDeps): Promise<FindInQueue | undefined> {
  if (!/slurm/i.test(library.info?.system ?? '') || !(await deps.hasSlurm())) return undefined
  const service = await deps.openSlurm()
  return (jobs, signal) => findHandedOver(jobs, service, signal)
}
