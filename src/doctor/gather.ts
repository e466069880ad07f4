import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { loadConfig } from '../config/load.js'
import type { NodeConfig } from '../config/types.js'
import { type ControlPlace, controlPlace } from '../control/socket-path.js'
import { lookUpUser, lookUpUserById } from '../lib/accounts.js'
import { MagnetarError, messageOf } from '../lib/errors.js'
import { examineSlurm } from '../schedulers/slurm/health-probe.js'
import { findInstallation } from '../setup/installation.js'
import { accountWithoutGroup } from '../setup/probes/account.js'
import { probeSupervisor } from '../setup/probes/supervisor.js'
import { probeSystemd } from '../setup/probes/systemd.js'
import type { Manifest, NodePaths } from '../setup/types.js'
import { findStuck, isStuck } from './file-systems.js'
import { contactGalaxy, findGalaxies } from './galaxy-contacts.js'
import { findListener } from './listener.js'
import { askJobs } from './server-jobs.js'
import type { DoctorFacts, Listen, LookAtRecords, NodeDirectory, NodeUser } from './types.js'

export interface GatherOptions {
  /** Absolute; its app.yml and server.ini say which node it is. */
  readonly configDirectory: string
  readonly env: NodeJS.ProcessEnv
  readonly galaxyUrl: string | undefined
  readonly sendsJob: boolean
  /** From the room that may open them. */
  readonly lookAtRecords: LookAtRecords
  readonly signal: AbortSignal
}

/** What is known of the node before anything is examined. A configuration that is wrong is no error here. @throws the signal's reason */
export async function gatherDoctorFacts(options: GatherOptions): Promise<DoctorFacts> {
  const { configDirectory, env, signal } = options
  const [stuckConfig] = await findStuck([configDirectory], signal)
  const none = { config: undefined, listens: [], error: stuckError(stuckConfig) }
  const [{ config, listens, error }, setup, supervisor, systemd] = await Promise.all([
    stuckConfig === undefined ? readConfig(configDirectory, signal) : none,
    stuckConfig === undefined ? readSetup(configDirectory) : NO_SETUP,
    probeSupervisor(signal),
    probeSystemd(signal),
  ])
  const { manifest, paths, manifestError } = setup
  const wanted = directoriesOf(config, paths)
  const stuck = [
    ...(stuckConfig === undefined ? [] : [stuckConfig]),
    ...(await findStuck(
      wanted.map(({ path }) => path),
      signal,
    )),
  ]
  const directories = wanted.filter(({ path }) => !isStuck(stuck, path))
  const staging = directories.filter(({ what }) => what === JOBS).map(({ path }) => path)
  const allListens = listens.length > 0 ? listens : listensOfSetup(manifest)
  const slurmManagers =
    config?.managers.filter(({ type }) => type === 'slurm' || type.startsWith('queued_')) ?? []
  const onSlurm = slurmManagers.filter(({ type }) => type !== 'queued_python')
  const { user, missing } = await findUser(
    manifest,
    allListens,
    [
      ...(config?.persistenceDirectory ? [config.persistenceDirectory] : []),
      join(configDirectory, 'app.yml'),
    ].filter((path) => !isStuck(stuck, path)),
    signal,
  )
  const control = placeOf(config, paths)
  const galaxies = async (): Promise<readonly string[]> =>
    options.galaxyUrl === undefined ? findGalaxies(staging) : [options.galaxyUrl]
  return {
    configDirectory,
    env,
    config,
    configError: error,
    manifest,
    manifestError,
    paths,
    account: accountWithoutGroup(),
    supervisor,
    systemd,
    user,
    missingUser: missing,
    staging,
    directories,
    stuck,
    listens: allListens,
    slurmManagers: onSlurm,
    usesSlurm: config ? onSlurm.length > 0 : manifest !== undefined && manifest.answers.manager !== 'local',
    control,
    jobs: once(() => askJobs(config, control, stuck, signal)),
    slurm: once(() => examineSlurm(env, signal)),
    galaxy: once(async () =>
      Promise.all(
        (await galaxies()).map((url) =>
          contactGalaxy(url, {
            isGiven: options.galaxyUrl !== undefined,
            caFile: config?.transfers.caFile,
            signal,
          }),
        ),
      ),
    ),
    lookAtRecords: options.lookAtRecords,
    sendsJob: options.sendsJob,
  }
}

const JOBS = 'job directories'

function placeOf(config: NodeConfig | undefined, paths: NodePaths | undefined): ControlPlace | undefined {
  if (config !== undefined) return controlPlace(config)
  return paths && controlPlace({ persistenceDirectory: paths.active, stagingDirectory: paths.jobs })
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined
  return () => {
    answer ??= ask()
    return answer
  }
}

function stuckError(directory: string | undefined): MagnetarError | undefined {
  return directory === undefined
    ? undefined
    : new MagnetarError('CONFIG_UNREADABLE', `the file system of ${directory} does not answer`)
}

interface ReadConfig {
  readonly config: NodeConfig | undefined
  readonly listens: readonly Listen[]
  readonly error: MagnetarError | undefined
}

/** As the service starts, and, where `magnetar serve` would listen elsewhere, that too. */
async function readConfig(configDirectory: string, signal: AbortSignal): Promise<ReadConfig> {
  const options = { configDirectory, env: {}, cwd: configDirectory, signal }
  try {
    const config = await loadConfig({ ...options, mode: 'uwsgi' })
    const other = await loadConfig(options)
    const isSame = other.server.host === config.server.host && other.server.port === config.server.port
    return { config, listens: [config.server, ...(isSame ? [] : [other.server])], error: undefined }
  } catch (error) {
    signal.throwIfAborted()
    return { config: undefined, listens: [], error: asMagnetarError(error) }
  }
}

function asMagnetarError(error: unknown): MagnetarError {
  return error instanceof MagnetarError
    ? error
    : new MagnetarError('CONFIG_UNREADABLE', messageOf(error), { cause: error })
}

type Setup = Pick<DoctorFacts, 'manifest' | 'paths' | 'manifestError'>

const NO_SETUP: Setup = { manifest: undefined, paths: undefined, manifestError: undefined }

/** What setup left, if this is the etc of a node that it made. */
async function readSetup(configDirectory: string): Promise<Setup> {
  try {
    return { ...NO_SETUP, ...(await findInstallation(configDirectory)) }
  } catch (error) {
    return { ...NO_SETUP, manifestError: asMagnetarError(error) }
  }
}

function directoriesOf(config: NodeConfig | undefined, paths: NodePaths | undefined): NodeDirectory[] {
  const found: NodeDirectory[] = []
  const add = (path: string | undefined | null, what: string, file?: string): void => {
    if (path && !found.some((each) => each.path === path))
      found.push({ path, what, ...(file === undefined ? {} : { file }) })
  }
  if (config) {
    for (const { stagingDirectory } of config.managers) add(stagingDirectory, JOBS)
    add(config.persistenceDirectory, 'records of jobs')
    add(config.logging.file && dirname(config.logging.file), 'log', config.logging.file)
    add(config.fileCacheDirectory, 'file cache')
    if (config.dependencies?.resolvers.some(({ type }) => type === 'conda'))
      add(config.dependencies.baseDirectory, 'tool dependencies')
  } else if (paths) {
    add(paths.jobs, JOBS)
    add(paths.active, 'records of jobs')
    add(paths.log, 'log')
  }
  return found
}

function listensOfSetup(manifest: Manifest | undefined): Listen[] {
  const { host, port } = manifest?.answers ?? {}
  return typeof host === 'string' && typeof port === 'number' ? [{ host, port, sslPem: undefined }] : []
}

/** Whose the node is: by setup, by the server that runs, by who owns what it wrote. */
async function findUser(
  manifest: Manifest | undefined,
  listens: readonly Listen[],
  owned: readonly string[],
  signal: AbortSignal,
): Promise<{ user: NodeUser | undefined; missing: string | undefined }> {
  const name = manifest?.answers.user
  if (typeof name === 'string') {
    const user = await lookUpUser(name, signal).catch(() => undefined)
    signal.throwIfAborted()
    return { user, missing: user === undefined ? name : undefined }
  }
  const uids: number[] = []
  for (const { port } of listens) {
    const listener = await findListener(port)
    if (listener?.command !== undefined && /magnetar|pulsar/.test(listener.command)) uids.push(listener.uid)
  }
  for (const path of owned) {
    const found = await stat(path).catch(() => undefined)
    if (found) uids.push(found.uid)
  }
  const [uid] = uids
  if (uid === undefined) return { user: undefined, missing: undefined }
  const known = await lookUpUserById(uid, signal).catch(() => undefined)
  signal.throwIfAborted()
  return { user: known ?? { name: String(uid), uid, gid: uid }, missing: undefined }
}
