import { dirname } from 'node:path'
import type { NodeConfig } from '../../config/types.js'
import { lookUpUser } from '../../lib/accounts.js'
import { MagnetarError } from '../../lib/errors.js'
import { nodePaths } from '../paths.js'
import type { InstallContext, RuntimeWish } from '../release/install.js'
import type { ServiceStatus } from '../services/service-control.js'
import type { Change, Facts, SetupContext } from '../types.js'
import { demandsOfChangedFiles } from './changed-since.js'
import {
  type Demands,
  demandsOfConfig,
  demandsOfLimits,
  demandsOfStart,
  demandsOfUser,
  loadServiceConfig,
  type RefuseStart,
} from './demands.js'
import { demandsOfJobs } from './demands-of-jobs.js'
import { demandsOfManagers, demandsOfSpace, type ProbeManagers } from './demands-of-start.js'
import { findPrefix } from './find-prefix.js'
import { findPulsarService, type PulsarService, readService } from './find-service.js'
import type { CountNotHandedOver } from './hand-over.js'
import { countJobs, type JobsUnderWay } from './jobs-under-way.js'
import { locateInstallation } from './locate-installation.js'
import { type ProgramPlan, planProgram } from './plan-program.js'
import { type PythonInstallation, pulsarVersion } from './python-installation.js'
import { type AdoptionRecord, isLive, readRecords } from './record.js'
import { demandReplaceable } from './replaceable.js'
import { demandsOfPort, loadServerAddress, type PortQuestion, type PythonAccess } from './server-port.js'
import type { ServiceDefinition } from './service-definition.js'
import { type Edit, planEdit, planForward } from './service-edit.js'
import { handleService, isOfPrefix, type ServiceHandle } from './service-handle.js'
import { stateInWords } from './state-in-words.js'
import { readSupervisorPrograms } from './supervisor-definitions.js'
import { readSystemdServices } from './systemd-definitions.js'

export interface AdoptionRequest {
  /** Of the Python Pulsar: the whole of it, or only its configuration. */
  readonly directory: string
  /** Where Magnetar goes; undefined: where it is; else `magnetar` in the directory. */
  readonly prefix: string | undefined
  readonly service: string | undefined
  readonly runtime: RuntimeWish
  readonly facts: Facts
  readonly source: SetupContext['source']
  readonly signal: AbortSignal
  /** Called with the prefix, and with the configuration directory, before anything is planned that may be carried out. */
  readonly lock?: (place: string) => Promise<void>
  /** The rules of `magnetar serve`. */
  readonly refuseStart: RefuseStart
  readonly probeManagers: ProbeManagers
  readonly countNotHandedOver: CountNotHandedOver
  /** For tests: where units are, the strongest first. */
  readonly unitDirectories?: readonly string[]
}

/** A Python Pulsar that was found, and what runs it. */
export interface FoundPulsar {
  readonly installation: PythonInstallation
  /** Of pulsar-app, where it can be told. */
  readonly version: string | undefined
  readonly service: PulsarService
  readonly handle: ServiceHandle
  readonly prefix: string
  /** Of this service. */
  readonly record: AdoptionRecord | undefined
  /** undefined: it could not be read, which does not keep anybody from going back. */
  readonly config: NodeConfig | undefined
  /** Why it could not. */
  readonly configProblem: MagnetarError | undefined
  /** How the Python Pulsar is asked; undefined: it listens nowhere, or nobody knows where. */
  readonly access: PythonAccess | undefined
  readonly status: ServiceStatus
  /** For people, where it does not run as it should: "is stopped (…)". */
  readonly state: string
  /** Whether it is Magnetar that the service runs at this moment. */
  readonly runsMagnetar: boolean
  /** Of what it runs. */
  readonly pid: number | undefined
  readonly countNotHandedOver: CountNotHandedOver
}

export interface PreparedAdoption extends FoundPulsar {
  readonly config: NodeConfig
  readonly jobs: JobsUnderWay
  readonly edit: Edit
  /** Of the service's file. */
  readonly forward: readonly Change[]
  readonly program: ProgramPlan
  readonly demands: Demands
  /** All is as it would be. */
  readonly isDone: boolean
}

/**
 * Finds the Pulsar of a directory and the service that runs it. The disk is only read.
 * @throws MagnetarError ADOPT_NOT_FOUND; SERVICE_FAILED when the service manager does not answer
 */
export async function findPulsar(request: AdoptionRequest): Promise<FoundPulsar> {
  const { facts, signal } = request
  const before = await readDefinitions(request)
  const pulsars = before.flatMap((definition) => readService(definition)?.pulsar ?? [])
  const installation = await locateInstallation(request.directory, pulsars)
  const prefix = request.prefix ?? (await findPrefix(installation, before, request.service))
  await request.lock?.(prefix)
  // Another run may put the same Pulsar's Magnetar elsewhere.
  const early = await findPulsarService(installation, before, await wantedName(request, prefix))
  const { configDirectory } = early.pulsar
  if (configDirectory !== prefix) await request.lock?.(configDirectory)
  const records = await readRecords(prefix)
  // Once more: a run that held a lock may have changed them.
  const definitions = await readDefinitions(request)
  const service = await findPulsarService(installation, definitions, await wantedName(request, prefix))
  const { kind, name } = service.definition
  const record = records.find((each) => each.service.kind === kind && each.service.name === name)
  const handle = handleService({ kind, name }, facts)
  const loaded = await loadServiceConfig(service, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    if (error instanceof MagnetarError) return error
    throw error
  })
  const configProblem = loaded instanceof MagnetarError ? loaded : undefined
  const config = loaded instanceof MagnetarError ? undefined : loaded
  const server = !service.pulsar.serves
    ? undefined
    : (config?.server ?? (await loadServerAddress(service, signal)))
  const token = config ? { value: config.privateToken } : 'unknown'
  const access = server && ({ server, token } as const)
  const [status, explained, pid, version] = await Promise.all([
    handle.control.status(signal),
    handle.control.explain(signal),
    handle.pid(signal),
    versionOf(installation, service),
  ])
  const runsMagnetar = pid !== undefined && (await isOfPrefix(pid, prefix))
  const about = { installation, version, service, handle, prefix, record }
  const state = stateInWords(kind, explained)
  const { countNotHandedOver } = request
  return { ...about, countNotHandedOver, config, configProblem, access, status, state, runsMagnetar, pid }
}

async function readDefinitions({
  facts,
  signal,
  unitDirectories,
}: AdoptionRequest): Promise<ServiceDefinition[]> {
  return [
    ...(facts.supervisor ? await readSupervisorPrograms(facts.supervisor, signal) : []),
    ...(facts.systemd ? await readSystemdServices(signal, unitDirectories) : []),
  ]
}

async function wantedName({ service }: AdoptionRequest, prefix: string): Promise<string | undefined> {
  return service ?? liveName(await readRecords(prefix))
}

/** The one that was taken over is meant, unless there are more. */
function liveName(records: readonly AdoptionRecord[]): string | undefined {
  const [record, ...more] = records.filter(isLive)
  return more.length === 0 ? record?.service.name : undefined
}

/** A virtualenv elsewhere is known by the command. */
async function versionOf(
  { version }: PythonInstallation,
  { pulsar }: PulsarService,
): Promise<string | undefined> {
  return version ?? (await pulsarVersion(dirname(dirname(pulsar.program))))
}

/**
 * Looks at everything before anything is changed.
 * @throws as findPulsar; the configuration's own errors; RUNTIME_UNAVAILABLE, RELEASE_UNKNOWN
 */
export async function prepareAdoption(request: AdoptionRequest): Promise<PreparedAdoption> {
  const { facts, signal, source, runtime } = request
  const found = await findPulsar(request)
  const { service, prefix, record, runsMagnetar } = found
  const { config } = found
  if (config === undefined) throw found.configProblem
  const install: InstallContext = {
    paths: nodePaths(prefix, undefined),
    owner: facts.account.isRoot ? { user: 'root', group: 'root' } : undefined,
    runtime,
    source,
    node: facts.node,
    signal,
  }
  const edit = await planEdit(service, prefix, record, request.unitDirectories?.[0], signal)
  const [program, forward, jobs, user, start, changed, managers, space, port] = await Promise.all([
    planProgram(install),
    planForward({ ...edit, service: found.service.definition }, signal),
    countJobs(config),
    demandsOfUser(service, config, prefix, signal),
    demandsOfStart(service, config, found.pid, request.refuseStart, signal),
    demandsOfChangedFiles(service, runsMagnetar ? undefined : found.pid, signal),
    demandsOfManagers(service, config, found.pid, request.probeManagers),
    demandsOfSpace(config),
    demandsOfPort(portOf(found), signal),
    demandReplaceable(edit.edit.path),
  ])
  const { definition, pulsar } = service
  const named = definition.user === undefined ? undefined : await lookUpUser(definition.user, signal)
  const files = runsMagnetar ? undefined : await demandsOfJobs(config, jobs.live, named, signal)
  const limits = runsMagnetar ? [] : [demandsOfLimits(config, jobs.queuedOrRunning)]
  const all = [
    ...limits,
    ...(files ? [files] : []),
    demandsOfConfig(config, facts),
    user,
    start,
    changed,
    managers,
    space,
    port,
  ]
  const demands: Demands = {
    obstacles: [...definition.obstacles, ...pulsar.obstacles, ...all.flatMap(({ obstacles }) => obstacles)],
    losses: all.flatMap(({ losses }) => losses),
    notes: [...definition.notes, ...pulsar.notes, ...all.flatMap(({ notes }) => notes)],
  }
  const isDone =
    record?.state === 'adopted' &&
    runsMagnetar &&
    forward.length === 0 &&
    program.install.changes.length === 0
  return { ...found, config, jobs, edit, forward, program, demands, isDone }
}

/** What is asked about the port, before the service is stopped. */
export function portOf({ service, handle, access, status, runsMagnetar, pid }: FoundPulsar): PortQuestion {
  const runs = runsMagnetar ? 'magnetar' : status === 'running' ? 'python' : undefined
  return { service, access, runs, pid, control: handle.control }
}

/** What is said of demands that are not met, and of those that --force does without. */
interface RefusalWords {
  readonly refusal: string
  readonly otherwise: string
}

const TAKE_OVER: RefusalWords = {
  refusal: 'it cannot be taken over as it is',
  otherwise:
    'Correct that, or keep the Python Pulsar until a release has it; or, if the site can do without: --force',
}
export const GIVE_BACK: RefusalWords = {
  refusal: 'it cannot be given back as it is; the service was not touched',
  otherwise: 'Correct that and run the command again; or, to have the service run it all the same: --force',
}

/** @throws MagnetarError ADOPT_REFUSED with all that speaks against it; with `force` only what cannot work at all */
export function refuseDemands(
  { obstacles, losses }: Pick<Demands, 'obstacles' | 'losses'>,
  force: boolean,
  { refusal, otherwise } = TAKE_OVER,
): void {
  if (obstacles.length === 0 && (force || losses.length === 0)) return
  const lines = [...obstacles, ...(force ? [] : losses)].map((text) => `  ${text}`)
  const fix = obstacles.length > 0 ? 'Correct that and run the command again.' : otherwise
  throw new MagnetarError('ADOPT_REFUSED', `${refusal}:\n${lines.join('\n')}`, { fix })
}
