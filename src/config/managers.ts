import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import type { FeatureRequests } from './features.js'
import type { LoadOptions } from './load.js'
import { readJobParameters, readManagerEnvironment, warnSubmitKeys } from './manager-families.js'
import type { NamedManager } from './manager-nodes.js'
import { managerOptions } from './options/index.js'
import type { Problems } from './problems.js'
import { openSection, reviewKeys, type Section } from './section.js'
import { readSharedValues, type SharedValues } from './shared-values.js'
import type { ManagerConfig, ManagerType, RetryConfig } from './types.js'
import { warnUnknownManagerKeys } from './unknown-keys.js'

export interface ManagerContext {
  readonly shared: SharedValues
  readonly options: LoadOptions
  readonly problems: Problems
  readonly features: FeatureRequests
}

type ManagerSection = Section<typeof managerOptions>

/** One manager with everything it inherits from the node (pulsar/manager_factory.py _get_default_options). */
export function readManager(named: NamedManager, context: ManagerContext): ManagerConfig {
  const { options, problems, features } = context
  const { entries, prefix } = named
  const section = openSection(managerOptions, entries, prefix, problems)
  const shared = readSharedValues(section, problems, context.shared)
  const type = section.get('type')
  warnUnknownManagerKeys(
    reviewKeys(managerOptions, entries, prefix, problems, features),
    entries,
    prefix,
    problems,
  )
  requestMissingParts(type, section, named.name, context)
  warnSubmitKeys(type, section, problems)
  return {
    name: named.name,
    type,
    stagingDirectory: resolve(options.cwd, shared.stagingDirectory),
    assignIds: shared.assignIds,
    galaxyHome: shared.galaxyHome || options.env.GALAXY_HOME || undefined,
    galaxyVirtualEnv: section.get('galaxy_virtual_env') || options.env.GALAXY_VIRTUAL_ENV || undefined,
    galaxyConfigFile: section.get('galaxy_config_file') || undefined,
    galaxyDatasetFilesPath: section.get('galaxy_dataset_files_path') || undefined,
    galaxyDatatypesConfigFile: section.get('galaxy_datatypes_config_file') || undefined,
    tmpDir: section.get('tmp_dir'),
    debug: shared.debug,
    maximumStreamSizeBytes: shared.maximumStreamSizeBytes,
    jobDirectoryMode: shared.jobDirectoryMode,
    env: readManagerEnvironment(section, problems),
    numConcurrentJobs: readConcurrency(type, section, problems),
    nativeSpecification: section.get('native_specification') || undefined,
    jobNameTemplate: section.get('job_name_template') || managerOptions.job_name_template.default,
    drmaaLibraryPath: resolveLibrary(section, options),
    drmaaFallback: section.get('drmaa_fallback'),
    minPollingIntervalMs: Math.round(section.get('min_polling_interval') * 1000),
    jobPlugin: section.get('job_plugin') || undefined,
    shellPlugin: section.get('shell_plugin') || undefined,
    jobParameters: readJobParameters(type, section, problems),
    returnCodeWaitMs: Math.round(section.get('return_code_wait') * 1000),
    stageInRetries: readRetries(section, 'preprocess_action'),
    stageOutRetries: readRetries(section, 'postprocess_action'),
    liveOutput: shared.sendsLiveOutput ? shared.liveOutput : undefined,
  }
}

/** A bare name is for the system's dynamic linker to find. */
function resolveLibrary(section: ManagerSection, options: LoadOptions): string | undefined {
  const library = section.get('drmaa_library_path')
  if (!library) return undefined
  return library.includes('/') ? resolve(options.cwd, library) : library
}

function readRetries(
  section: ManagerSection,
  prefix: 'preprocess_action' | 'postprocess_action',
): RetryConfig {
  const ms = (key: 'interval_start' | 'interval_step' | 'interval_max'): number =>
    Math.round(section.get(`${prefix}_${key}`) * 1000)
  return {
    maxRetries: section.get(`${prefix}_max_retries`),
    intervalStartMs: ms('interval_start'),
    intervalStepMs: ms('interval_step'),
    intervalMaxMs: ms('interval_max'),
  }
}

/** Only queued_python counts its jobs; the other types leave that to a scheduler, or do not limit them at all. */
function readConcurrency(type: ManagerType, section: ManagerSection, problems: Problems): number {
  if (type !== 'queued_python') {
    const node = section.node('num_concurrent_jobs')
    if (node)
      problems.warn(
        node.place,
        `${section.nameOf('num_concurrent_jobs')} has no effect with type: ${type}, which does not count its jobs`,
      )
    return Number.POSITIVE_INFINITY
  }
  const limit = section.get('num_concurrent_jobs')
  if (limit === '*') return availableParallelism()
  if (limit === 0) {
    const name = section.nameOf('num_concurrent_jobs')
    problems.warn(section.node('num_concurrent_jobs')?.place, `${name} is 0: jobs are accepted but never run`)
  }
  return limit
}

function requestMissingParts(
  type: ManagerType,
  section: ManagerSection,
  name: string,
  context: ManagerContext,
): void {
  const { features, problems } = context
  if (type === 'coexecution') features.addManager('coexecution', `${name} (${type})`)
  else if (type === 'queued_condor') features.addManager('condor', `${name} (${type})`)
  else if (type === 'queued_external_drmaa') features.addManager('external_drmaa', `${name} (${type})`)
  if (type !== 'queued_cli') return
  const jobPlugin = section.get('job_plugin')
  const shellPlugin = section.get('shell_plugin') || 'LocalShell'
  const place = section.entries.get('type')?.place
  if (!jobPlugin)
    problems.warn(place, `manager ${name} has no job_plugin: its jobs fail. Add job_plugin: Slurm`)
  else if (jobPlugin !== 'Slurm') features.addManager('cli', `${name} (job_plugin: ${jobPlugin})`)
  if (shellPlugin !== 'LocalShell') features.addManager('cli', `${name} (shell_plugin: ${shellPlugin})`)
}
