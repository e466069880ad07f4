import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { readDependencies } from './dependencies.js'
import { createFeatureRequests } from './features.js'
import { readJobMetrics } from './job-metrics.js'
import { readLogging } from './logging.js'
import { findManagers } from './manager-nodes.js'
import { readManager } from './managers.js'
import { appOptions } from './options/index.js'
import { ConfigError, createProblems, type Problems } from './problems.js'
import { openSection, reviewKeys, type Section } from './section.js'
import { readServer } from './server.js'
import { readSharedValues } from './shared-values.js'
import { readSources } from './sources.js'
import type { NodeConfig, TransfersConfig } from './types.js'
import { warnUnknownAppKeys } from './unknown-keys.js'

/** 90 days. */
const JOURNAL_KEEP_MS = 90 * 86_400_000

export { ConfigError }

export interface LoadOptions {
  /** Absolute. Where server.ini and app.yml are looked for. */
  readonly configDirectory: string
  /** Instead of server.ini; relative to configDirectory. */
  readonly iniPath?: string
  /** Instead of the app.yml that server.ini names; relative to cwd. */
  readonly appConfPath?: string
  /** Instead of all files: a JSON object in base64. */
  readonly appConfBase64?: string
  /** The NAME of [app:NAME] in server.ini; `main` when absent. */
  readonly app?: string
  /** How the classic launchers were asked to serve: `uwsgi`, `gunicorn`, `webless`, …; undefined for `magnetar serve`. */
  readonly mode?: string
  /** From the command line, before anything in a file. */
  readonly host?: string
  readonly port?: number
  /** As the options of app.yml, before them. */
  readonly allowWithoutToken?: boolean
  readonly allowRoot?: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute. Relative directories in app.yml start here. */
  readonly cwd: string
  readonly signal?: AbortSignal
}

/**
 * Finds, reads and checks the configuration of a node. Nothing is created or changed.
 * @throws ConfigError with everything that is wrong, or with the first file that cannot be read.
 */
export async function loadConfig(options: LoadOptions): Promise<NodeConfig> {
  const problems = createProblems()
  const { ini, app: entries } = await readSources(options, problems)
  // Half a file would only give errors that are not there.
  problems.throwIfAny()

  const features = createFeatureRequests()
  const app = openSection(appOptions, entries, '', problems)
  warnUnknownAppKeys(reviewKeys(appOptions, entries, '', problems, features), entries, problems)
  const shared = readSharedValues(app, problems)
  const managers = (await findManagers(app, options, problems)).map((each) =>
    readManager(each, { shared, options, problems, features }),
  )
  const configDirectory = resolve(options.cwd, app.get('config_dir') || options.configDirectory)
  const config = {
    configDirectory,
    server: await readServer(ini, options, problems),
    privateToken: app.get('private_token') || undefined,
    nextPrivateToken: app.get('private_token_next') || undefined,
    allowWithoutToken: options.allowWithoutToken ?? app.get('allow_without_token') ?? false,
    allowRoot: options.allowRoot ?? app.get('allow_root') ?? false,
    requestsPerClient: app.get('requests_per_client') || Number.POSITIVE_INFINITY,
    maximumUploadBytes: limitOf(app.get('maximum_upload_size')),
    expireJobsAfterMs: app.get('expire_jobs_after'),
    journal: { keepMs: app.get('journal_keep') ?? JOURNAL_KEEP_MS, events: app.get('journal_events') },
    stagingDirectory: resolve(options.cwd, shared.stagingDirectory),
    persistenceDirectory: readPersistenceDirectory(app, options),
    fileCacheDirectory: await readFileCacheDirectory(app, options, problems),
    managers,
    transfers: readTransfers(app, options),
    jobMetrics: await readJobMetrics(
      app.get('job_metrics_config_file'),
      configDirectory,
      problems,
      options.signal,
    ),
    dependencies: await readDependencies(app, { ...options, configDirectory }, problems, features),
    logging: readLogging(ini, app.node('logging'), options, problems),
  }
  problems.throwIfAny()
  features.warn(problems)
  return { ...config, warnings: problems.warnings }
}

/** -1: no limit. */
function limitOf(bytes: number): number {
  return bytes < 0 ? Number.POSITIVE_INFINITY : bytes
}

function readTransfers(app: Section<typeof appOptions>, options: LoadOptions): TransfersConfig {
  const hosts = app
    .get('transfer_hosts')
    ?.split(',')
    .map((host) => host.trim())
  const caFile = app.get('transfer_ca_file')
  return {
    atOnce: app.get('transfers_at_once'),
    perJob: app.get('transfers_per_job'),
    answerTimeoutMs: app.get('transfer_answer_timeout') * 1000,
    allowedHosts: hosts?.filter((host) => host !== ''),
    caFile: caFile === undefined ? undefined : resolve(options.cwd, caFile),
  }
}

/** pulsar/core.py __setup_persistence_directory: `__none__` means nowhere. */
function readPersistenceDirectory(app: Section<typeof appOptions>, options: LoadOptions): string | null {
  const directory = app.get('persistence_directory') || appOptions.persistence_directory.default
  return directory === '__none__' ? null : resolve(options.cwd, directory)
}

/** The Python Pulsar does not start where the directory is missing (pulsar/core.py __setup_file_cache); here the start makes it. */
async function readFileCacheDirectory(
  app: Section<typeof appOptions>,
  options: LoadOptions,
  problems: Problems,
): Promise<string | undefined> {
  const value = app.get('file_cache_dir')
  const node = app.node('file_cache_dir')
  if (!value || !node) return undefined
  const directory = resolve(options.cwd, value)
  const found = await stat(directory).catch(() => undefined)
  if (found === undefined)
    problems.warn(node.place, `file_cache_dir ${directory} does not exist: it is made when the server starts`)
  else if (!found.isDirectory())
    problems.error(
      node.place,
      'file_cache_dir',
      `${directory} is no directory`,
      'name a directory, or one that can be made',
    )
  return directory
}
