import { access, constants, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { NodeConfig } from './config/types.js'
import { keepListening } from './control/keep-listening.js'
import { createNodeControl } from './control/node-control.js'
import { controlPlace } from './control/socket-path.js'
import type { Dependencies } from './dependencies/dependencies.js'
import { createHttpServer, type HttpServer } from './http/server.js'
import { awaitStaging } from './jobs/await-staging.js'
import { startExpiry } from './jobs/expire.js'
import { appendEvent } from './jobs/journal/note.js'
import { startRotation } from './jobs/journal/rotate.js'
import { openManager, type RunningManager } from './jobs/manager.js'
import { startMonitor } from './jobs/monitor.js'
import { errnoOf, MagnetarError, messageOf } from './lib/errors.js'
import { makeDirectories } from './lib/fs.js'
import type { Logger } from './lib/log.js'
import { directoriesOf } from './node/directories.js'
import { createScheduler, createSlurmService, demandSupported, isLocal } from './schedulers/index.js'
import { bootId } from './schedulers/process-table.js'
import { createLazyHttpClient } from './staging/lazy-http-client.js'
import { createTransferQueue } from './staging/transfer-queue.js'
import type { Store, StoreChange } from './store/store.js'

/** The release whose protocol we speak; clients compare it (pulsar/web/routes.py, setup answer). */
export const PULSAR_VERSION = '0.16.0'

const STOP_GRACE_MS = 3000

export interface RunningNode {
  readonly url: string
  readonly managers: readonly RunningManager[]
  /** Stops accepting, lets requests finish for up to 3 s, leaves running jobs alone. Idempotent. */
  close(): Promise<void>
  /** From now on these private tokens are let in; an empty list changes nothing. @returns how many count */
  setTokens(read: ReadTokens): number
}

/** What a node asks of whoever runs it. */
export interface NodeHost {
  /** Of this program, for its admins. */
  readonly release: string
  /** The private tokens that the configuration has now. */
  readTokens(): Promise<ReadTokens>
  /** Ends a start that waits. */
  readonly stopping: AbortSignal
}

export interface ReadTokens {
  readonly tokens: readonly string[]
  /** When that was begun; undefined: something else has changed there too, which only a start takes up. */
  readonly allReadAtMs?: number
}

/**
 * Puts a node together from its configuration and serves it: the one place where the rooms meet. What was taken is released
 * again when a later part fails.
 * @throws MagnetarError when a part cannot start
 */
export async function startNode(config: NodeConfig, log: Logger, host?: NodeHost): Promise<RunningNode> {
  let tokens = tokensOf(config)
  let appReadAtMs: number | undefined
  const setTokens = ({ tokens: now, allReadAtMs }: ReadTokens): number => {
    if (now.length === 0) return tokens.length
    tokens = now
    appReadAtMs = allReadAtMs ?? appReadAtMs
    return tokens.length
  }
  const releasers: (() => Promise<void> | void)[] = []
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= (async () => {
      for (const release of releasers.reverse()) {
        await Promise.resolve()
          .then(release)
          .catch((error: unknown) => log.error({ err: error }, `while stopping: ${messageOf(error)}`))
      }
    })()
    return closing
  }
  try {
    await makeUsable('staging_directory', config.stagingDirectory)
    for (const manager of config.managers) {
      await makeUsable(
        `staging_directory of manager ${manager.name}`,
        manager.stagingDirectory,
        manager.jobDirectoryMode,
      )
    }
    if (config.fileCacheDirectory !== undefined) await makeUsable('file_cache_dir', config.fileCacheDirectory)
    const store = await openStore(config)
    releasers.push(() => store.close())
    await store.write([startedEvent(host)], { lazy: true })
    releasers.push(() => store.write([appendEvent({ kind: 'node-stopped', atMs: Date.now() })]))
    releasers.push(startRotation(store, config.journal, log))
    const slurm = createSlurmService({ log })
    releasers.push(() => slurm.close())
    const transfers = createTransferQueue(config.transfers)
    const galaxy = await createLazyHttpClient(config.transfers, log)
    releasers.push(() => galaxy.close())
    const dependencies = await openDependencies(config, log)
    releasers.push(() => dependencies?.close())
    const managers: RunningManager[] = []
    for (const manager of config.managers) {
      const place = { manager: manager.name, stagingDirectory: manager.stagingDirectory }
      await awaitStaging(place, store, log, host?.stopping ?? new AbortController().signal)
      const opened = await openManager({
        config: manager,
        neighbours: config.managers
          .filter((each) => each !== manager && each.stagingDirectory === manager.stagingDirectory)
          .map(({ name }) => name),
        version: PULSAR_VERSION,
        scheduler: await createScheduler(manager, { log, slurm, hasSlurm }),
        returnCodeWaitMs: isLocal(manager) ? 0 : manager.returnCodeWaitMs,
        metrics: config.jobMetrics,
        dependencies,
        store,
        transfers,
        http: galaxy,
        persistenceDirectory: config.persistenceDirectory,
        log: config.managers.length > 1 ? log.child({ manager: manager.name }) : log,
      })
      releasers.push(() => opened.close())
      await opened.load()
      managers.push(opened)
    }
    const monitor = startMonitor(
      managers.map((each) => each.context),
      log,
    )
    releasers.push(() => monitor.stop())
    const server = createHttpServer(
      {
        managers: new Map(managers.map((each) => [each.manager.name, each.manager])),
        privateToken: () => tokens,
        version: PULSAR_VERSION,
        cacheDirectory: config.fileCacheDirectory,
        maxUploadBytes: config.maximumUploadBytes,
        log,
      },
      {
        requestsPerClient: config.requestsPerClient,
        ...(config.server.sslPem === undefined ? {} : { tls: await readPem(config.server.sslPem) }),
      },
    )
    const address = await listen(server, config.server.host, config.server.port)
    releasers.push(() => server.close({ graceMs: STOP_GRACE_MS }))
    for (const each of managers) {
      each
        .recover()
        .catch((error: unknown) =>
          log.error({ err: error }, `cannot take up earlier jobs: ${messageOf(error)}`),
        )
    }
    if (config.expireJobsAfterMs !== undefined)
      releasers.push(startExpiry(managers, config.expireJobsAfterMs, log))
    const scheme = config.server.sslPem === undefined ? 'http' : 'https'
    const url = `${scheme}://${hostInUrl(config.server.host)}:${address.port}/`
    if (host)
      releasers.push(
        await openControl({ config, host, managers, url, log, setTokens, appReadAtMs: () => appReadAtMs }),
      )
    return { url, managers, close, setTokens }
  } catch (error) {
    await close()
    throw error
  }
}

function startedEvent(host: NodeHost | undefined): StoreChange {
  const version = host?.release ?? PULSAR_VERSION
  return appendEvent({ kind: 'node-started', atMs: Date.now(), version, bootId: bootId(), pid: process.pid })
}

/** The private tokens of a configuration. */
export function tokensOf(config: Pick<NodeConfig, 'privateToken' | 'nextPrivateToken'>): readonly string[] {
  if (config.privateToken === undefined) return []
  return [config.privateToken, ...(config.nextPrivateToken === undefined ? [] : [config.nextPrivateToken])]
}

interface ControlParts {
  readonly config: NodeConfig
  readonly host: NodeHost
  readonly managers: readonly RunningManager[]
  readonly url: string
  readonly log: Logger
  setTokens(read: ReadTokens): number
  appReadAtMs(): number | undefined
}

/** Jobs are run also where there is no place for a socket. */
async function openControl(parts: ControlParts): Promise<() => Promise<void>> {
  const { config, host, managers, url, log, setTokens, appReadAtMs } = parts
  const control = createNodeControl({
    managers,
    version: host.release,
    startedAtMs: Date.now(),
    url,
    directories: directoriesOf(config),
    reloadTokens: async () => setTokens(await host.readTokens()),
    appReadAtMs,
  })
  const server = await keepListening(controlPlace(config), control, log)
  return () => server.close()
}

/**
 * What would keep a manager's jobs from being run as its configuration says, as warnings. Looks at types that no server
 * starts with, and at DRMAA libraries: the rest of a configuration tells by itself. `drmaaLibrary` is DRMAA_LIBRARY_PATH as the server will have it.
 * @throws MagnetarError as the start of the node would
 */
export async function probeManagers(config: NodeConfig, drmaaLibrary: string | undefined): Promise<string[]> {
  const warnings: string[] = []
  for (const manager of config.managers) demandSupported(manager)
  for (const manager of config.managers) {
    if (manager.type !== 'queued_drmaa' && manager.type !== 'queued_drmaa_xsede') continue
    const { probeLibrary } = await import('./schedulers/drmaa/probe-library.js')
    const given = { fromEnvironment: drmaaLibrary, hasSlurm: await hasSlurm() }
    const warning = await probeLibrary(manager, given)
    if (warning !== undefined) warnings.push(warning)
  }
  return warnings
}

async function hasSlurm(): Promise<boolean> {
  const { findProgram } = await import('./lib/find-program.js')
  return (await findProgram('sbatch')) !== undefined
}

/** Loaded only where requirements are resolved. */
async function openDependencies(config: NodeConfig, log: Logger): Promise<Dependencies | undefined> {
  if (config.dependencies === undefined) return undefined
  const room = await import('./dependencies/dependencies.js')
  return room.openDependencies(config.dependencies, { log, cwd: process.cwd(), env: process.env })
}

/** Before anything else is made: a path is what is easiest to get wrong. */
async function makeUsable(option: string, directory: string, mode?: number): Promise<void> {
  try {
    await makeDirectories(directory, mode)
    await access(directory, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new MagnetarError('DIRECTORY_UNUSABLE', `${option}: cannot use ${directory}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

async function openStore(config: NodeConfig): Promise<Store> {
  if (config.persistenceDirectory === null) {
    const { openMemoryStore } = await import('./store/memory-store.js')
    return openMemoryStore({ keepsLogs: false })
  }
  await makeUsable('persistence_directory', config.persistenceDirectory)
  const { openLevelStore } = await import('./store/level-store.js')
  return openLevelStore(path.join(config.persistenceDirectory, 'magnetar-store'))
}

async function listen(server: HttpServer, host: string, port: number): Promise<{ readonly port: number }> {
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const why = { EADDRINUSE: 'another program uses it', EACCES: 'ports below 1024 need a privilege' }[
      errnoOf(error) ?? ''
    ]
    throw new MagnetarError(
      'ADDRESS_UNAVAILABLE',
      `cannot listen on ${hostInUrl(host)}:${port}: ${why ?? messageOf(error)}`,
      { cause: error },
    )
  }
}

async function readPem(file: string): Promise<{ cert: string; key: string }> {
  try {
    const pem = await readFile(file, 'utf8')
    return { cert: pem, key: pem }
  } catch (error) {
    throw new MagnetarError('CERTIFICATE_UNREADABLE', `cannot read ssl_pem ${file}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
