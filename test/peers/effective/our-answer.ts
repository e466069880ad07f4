import { ConfigError, type LoadOptions, loadConfig } from '../../../src/config/load.js'
import type { ManagerConfig, NodeConfig, RetryConfig } from '../../../src/config/types.js'

/** The effective values in the words of effective-config.py; only `refused` where the server would not start. */
export type Answer = Readonly<Record<string, unknown>>

/** What Magnetar makes of a configuration; `warnings` are for tests that look at what is said of a difference. */
export async function ourAnswer(
  options: LoadOptions,
): Promise<{ answer: Answer; warnings: readonly string[] }> {
  try {
    const config = await loadConfig(options)
    return { answer: describe(config, options), warnings: config.warnings }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { answer: { refused: error.message }, warnings: [] }
  }
}

function describe(config: NodeConfig, options: LoadOptions): Answer {
  // What is not served is not in the configuration: the line about it says that it was recognised.
  const isTold = (key: string): boolean =>
    config.warnings.some((line) => line.startsWith(`${key} `) || line.startsWith(`${key},`))
  return {
    configDirectory: config.configDirectory,
    stagingDirectory: config.stagingDirectory,
    persistenceDirectory: config.persistenceDirectory,
    token: config.privateToken ?? null,
    fileCache: config.fileCacheDirectory ?? null,
    dependencyDirectory: config.dependencies?.baseDirectory ?? null,
    resolvers:
      config.dependencies?.resolvers.map(({ type, options: given }) => ({ type, options: given })) ?? [],
    metrics: config.jobMetrics.map(({ type, options: given }) => [
      type,
      type === 'uname' ? (given.args ?? '-a') : null,
    ]),
    queue: isTold('message_queue_url'),
    sentry: isTold('sentry_dsn'),
    userAuth: isTold('user_auth'),
    managers: config.managers.map(describeManager),
    server:
      options.appConfPath !== undefined || options.appConfBase64 !== undefined
        ? null
        : {
            host: config.server.host,
            port: config.server.port,
            sslPem: config.server.sslPem ?? null,
          },
  }
}

const EXTERNAL: readonly ManagerConfig['type'][] = [
  'queued_cli',
  'queued_drmaa',
  'queued_drmaa_xsede',
  'queued_external_drmaa',
  'queued_condor',
]

function describeManager(manager: ManagerConfig): Answer {
  const { type } = manager
  const properties = {
    galaxy_home: manager.galaxyHome,
    galaxy_virtual_env: manager.galaxyVirtualEnv,
    galaxy_config_file: manager.galaxyConfigFile,
    galaxy_dataset_files_path: manager.galaxyDatasetFilesPath,
    galaxy_datatypes_config_file: manager.galaxyDatatypesConfigFile,
  }
  const isCli = type === 'queued_cli'
  return {
    name: manager.name,
    type,
    stagingDirectory: manager.stagingDirectory,
    assignIds: manager.assignIds,
    maximumStreamSize: manager.maximumStreamSizeBytes ?? null,
    properties: Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)),
    tmpDir: manager.tmpDir ?? null,
    debug: manager.debug,
    jobDirectoryMode: manager.jobDirectoryMode ?? null,
    env: Object.fromEntries(manager.env.map(({ name, value }) => [name, value])),
    workers: type === 'queued_python' ? manager.numConcurrentJobs : null,
    nativeSpecification: type.includes('drmaa') ? (manager.nativeSpecification ?? null) : null,
    jobNameTemplate: EXTERNAL.includes(type) ? manager.jobNameTemplate : null,
    minPollingInterval: manager.minPollingIntervalMs / 1000,
    stageIn: describeRetries(manager.stageInRetries),
    stageOut: describeRetries(manager.stageOutRetries),
    liveOutput: manager.liveOutput
      ? {
          interval: manager.liveOutput.intervalMs / 1000,
          timeout: manager.liveOutput.timeoutMs / 1000,
          chunk: manager.liveOutput.chunkBytes,
        }
      : null,
    jobPlugin: isCli ? (manager.jobPlugin ?? null) : null,
    shellPlugin: isCli ? (manager.shellPlugin ?? null) : null,
    jobParameters: isCli ? manager.jobParameters : null,
  }
}

function describeRetries({ maxRetries, ...retries }: RetryConfig): Answer {
  return {
    // null: for ever, as in the Python Pulsar.
    maxRetries: maxRetries === undefined ? 'for a day' : Number.isFinite(maxRetries) ? maxRetries : null,
    start: retries.intervalStartMs / 1000,
    step: retries.intervalStepMs / 1000,
    max: retries.intervalMaxMs / 1000,
  }
}
