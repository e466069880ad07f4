/** What is said when the DRMAA library of a manager cannot be used, and whether its jobs run all the same. */
import type { ManagerConfig } from '../../config/types.js'
import { MagnetarError } from '../../lib/errors.js'

/** What the Python Pulsar loads without DRMAA_LIBRARY_PATH (drmaa-python: ctypes' find_library('drmaa')). */
const STANDARD_NAMES = ['libdrmaa.so', 'libdrmaa.so.1', 'libdrmaa.so.1.0']

/** What is tried, in order; `fromEnvironment` is DRMAA_LIBRARY_PATH. */
export function libraryPaths(
  config: Pick<ManagerConfig, 'drmaaLibraryPath'>,
  fromEnvironment: string | undefined,
): readonly string[] {
  const named = config.drmaaLibraryPath || fromEnvironment
  return named ? [named] : STANDARD_NAMES
}

/** A sentence about paths that failed, each with what its library, or the system's linker, said. */
export function whyUnusable(problems: readonly (readonly [path: string, reason: string])[]): string {
  if (problems.some(([path]) => !STANDARD_NAMES.includes(path)))
    return `the DRMAA library cannot be used: ${problems.map((one) => one.join(': ')).join('; ')}`
  // One that is there and cannot be used: the reason has its path.
  const found = problems.find(([, reason]) => reason.startsWith('/'))
  if (found) return `no DRMAA library is named, and the one that the system has cannot be used: ${found[1]}`
  return `no DRMAA library is named, and there is no ${STANDARD_NAMES[0]} that can be used where the system looks for libraries`
}

/** The error, unless Slurm's commands may do. */
export function unusableError(
  { name, drmaaFallback }: Pick<ManagerConfig, 'name' | 'drmaaFallback'>,
  why: string,
  hasSlurm: boolean,
): MagnetarError | undefined {
  if (hasSlurm && drmaaFallback) return undefined
  const instead = hasSlurm
    ? "drmaa_fallback: false forbids Slurm's own commands"
    : 'and there is no sbatch to use instead'
  return new MagnetarError('DRMAA_UNUSABLE', `manager ${name}: ${why}; ${instead}`)
}

export const FALLBACK =
  "Jobs are submitted with Slurm's own commands instead. To use the library: set drmaa_library_path in this manager, or DRMAA_LIBRARY_PATH; to be content with this: type: slurm"
