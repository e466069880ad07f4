/** The effective configuration of a node: what the rooms above read. Made by config/load.ts, never changed after. */

export interface NodeConfig {
  readonly configDirectory: string
  readonly server: ServerConfig
  readonly privateToken: string | undefined
  /** Also let in, while the token is changed. */
  readonly nextPrivateToken: string | undefined
  /** Without a token also where other machines reach the server. */
  readonly allowWithoutToken: boolean
  readonly allowRoot: boolean
  /** Infinity: no limit. */
  readonly requestsPerClient: number
  /** Infinity: no limit. */
  readonly maximumUploadBytes: number
  /** undefined: jobs that are over stay until they are cleaned. */
  readonly expireJobsAfterMs: number | undefined
  /** What is kept of the journal. */
  readonly journal: { readonly keepMs: number; readonly events: number }
  /** Absolute. */
  readonly stagingDirectory: string
  /** Absolute; null when `persistence_directory: __none__`. */
  readonly persistenceDirectory: string | null
  readonly fileCacheDirectory: string | undefined
  readonly managers: readonly ManagerConfig[]
  readonly transfers: TransfersConfig
  readonly jobMetrics: readonly MetricPluginConfig[]
  /** undefined: requirements of tools are not looked at. */
  readonly dependencies: DependenciesConfig | undefined
  readonly logging: LoggingConfig
  /** One sentence each, to be logged once at start: unknown keys with the nearest known name, ignored parts. */
  readonly warnings: readonly string[]
}

export interface TransfersConfig {
  readonly atOnce: number
  readonly perJob: number
  /** How long an answer may take to begin. */
  readonly answerTimeoutMs: number
  /** undefined: any host. */
  readonly allowedHosts: readonly string[] | undefined
  /** Absolute. */
  readonly caFile: string | undefined
}

/** How a failed transfer is tried again. */
export interface RetryConfig {
  /** Attempts after the first; Infinity: for ever; undefined: for a day. */
  readonly maxRetries: number | undefined
  readonly intervalStartMs: number
  readonly intervalStepMs: number
  readonly intervalMaxMs: number
}

/** Live output; undefined where it is off. */
export interface LiveOutputConfig {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly chunkBytes: number
}

export interface ServerConfig {
  readonly host: string
  readonly port: number
  /** One PEM file with certificate and key. */
  readonly sslPem: string | undefined
}

export interface LoggingConfig {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** Absolute path of `[uwsgi] logto`; undefined: standard error. */
  readonly file: string | undefined
  /** A line in the terms of Python's logging, `%(asctime)s %(message)s`; undefined: JSON. */
  readonly format: string | undefined
}

export type ManagerType =
  | 'queued_python'
  | 'unqueued'
  | 'coexecution'
  | 'queued_cli'
  | 'slurm'
  | 'queued_drmaa'
  | 'queued_drmaa_xsede'
  | 'queued_external_drmaa'
  | 'queued_condor'

export interface ManagerConfig {
  readonly name: string
  readonly type: ManagerType
  /** Absolute. */
  readonly stagingDirectory: string
  readonly assignIds: 'galaxy' | 'uuid'
  readonly galaxyHome: string | undefined
  readonly galaxyVirtualEnv: string | undefined
  readonly galaxyConfigFile: string | undefined
  readonly galaxyDatasetFilesPath: string | undefined
  readonly galaxyDatatypesConfigFile: string | undefined
  /** undefined: J/tmp made by the script; else inserted verbatim into the script as the expression for the tmp directory. */
  readonly tmpDir: string | undefined
  /** clean() removes nothing. */
  readonly debug: boolean
  /** Bytes; undefined: unlimited. */
  readonly maximumStreamSizeBytes: number | undefined
  /** mkdir mode of job directories; the umask applies. */
  readonly jobDirectoryMode: number | undefined
  /** `env_NAME: value` entries, in file order. */
  readonly env: readonly { readonly name: string; readonly value: string }[]
  /** Local schedulers: how many at once; Infinity for unqueued; `*` is the number of CPUs. */
  readonly numConcurrentJobs: number
  readonly nativeSpecification: string | undefined
  readonly jobNameTemplate: string
  /** queued_drmaa: the library; undefined: DRMAA_LIBRARY_PATH, or where the system finds it. */
  readonly drmaaLibraryPath: string | undefined
  /** queued_drmaa: whether Slurm's own commands may do, where the library cannot be used. */
  readonly drmaaFallback: boolean
  readonly minPollingIntervalMs: number
  /** queued_cli: `job_plugin` and `shell_plugin`. */
  readonly jobPlugin: string | undefined
  readonly shellPlugin: string | undefined
  /** `job_*` keys with the prefix stripped (time, ncpus, partition, --mem, …), in file order. */
  readonly jobParameters: Readonly<Record<string, string>>
  /** How long a return_code file may lag behind the scheduler's word that the job ended (shared file systems). */
  readonly returnCodeWaitMs: number
  readonly stageInRetries: RetryConfig
  readonly stageOutRetries: RetryConfig
  readonly liveOutput: LiveOutputConfig | undefined
}

export interface MetricPluginConfig {
  readonly type: 'core' | 'hostname' | 'uname' | 'cpuinfo' | 'meminfo' | 'env' | 'cgroup'
  /** Attributes as written, e.g. uname's args, cgroup's version and params. */
  readonly options: Readonly<Record<string, string>>
}

/** How the requirements of tools are met. */
export interface DependenciesConfig {
  /** Absolute: `tool_dependency_dir`. */
  readonly baseDirectory: string
  /** In the order in which they are asked; at least one. */
  readonly resolvers: readonly ResolverConfig[]
  /** What becomes of a job when a resolver fails: it fails too, or it runs without what is missing. */
  readonly onFailure: 'fail' | 'ignore'
  /**
   * Options of resolvers that stand at the top of app.yml, by name: `conda_auto_install` counts for every conda resolver that does not
   * say it itself. A null is kept: it is not the same as unset.
   */
  readonly options: Readonly<Record<string, unknown>>
}

export interface ResolverConfig {
  readonly type: ResolverTypeName
  /** As written: text in XML; in YAML text, number, boolean, null, or a list of them. */
  readonly options: Readonly<Record<string, unknown>>
  readonly mappings: readonly RequirementMapping[]
  /** For messages: "/srv/pulsar/etc/dependency_resolvers_conf.xml:3". */
  readonly place: string
}

export type ResolverTypeName =
  | 'conda'
  | 'galaxy_packages'
  | 'tool_shed_packages'
  | 'unlinked_tool_shed_packages'
  | 'modules'
  | 'lmod'
  | 'homebrew'
  | 'tool_shed_tap'

/** An entry of a mapping file: what Galaxy calls a requirement, and what it is called here. */
export interface RequirementMapping {
  readonly from: {
    readonly name: string
    /** undefined: any. */
    readonly version: string | undefined
    /** Only a requirement without version. */
    readonly unversioned: boolean
  }
  readonly to: {
    readonly name: string
    /** undefined: that of the requirement. */
    readonly version: string | undefined
  }
}
