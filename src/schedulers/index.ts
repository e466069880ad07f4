/** The registry: which scheduler runs the jobs of a manager. A new one is a line here and its own file or folder. */
import type { ManagerConfig } from '../config/types.js'
import { MagnetarError } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { createLocalScheduler } from './local.js'
import type { Scheduler } from './scheduler.js'
import type { SlurmService } from './slurm/service.js'

export interface SchedulerDeps {
  readonly log: Logger
  /** The one of this process (createSlurmService): all managers ask through it, so that one squeue serves them all. */
  readonly slurm: SharedSlurm
  /** Whether Slurm's commands are on this host. */
  hasSlurm(): Promise<boolean>
  /** The compiled program that loads DRMAA libraries, for tests, which run from the sources. */
  readonly drmaaProgram?: string
}

/**
 * The scheduler of a manager. Slurm's modules are loaded only when a manager needs them: they would cost every start.
 * Of types and plugins that this release does not have: one that refuses every job, as the Python Pulsar does for plugins it does not know.
 * @throws MagnetarError SCHEDULER_UNSUPPORTED where a job could do harm, or the Python Pulsar would not start either.
 */
export async function createScheduler(config: ManagerConfig, deps: SchedulerDeps): Promise<Scheduler> {
  demandSupported(config)
  const log = deps.log.child({ manager: config.name })
  switch (config.type) {
    case 'queued_python':
    case 'unqueued':
      return createLocalScheduler({ limit: config.numConcurrentJobs }, log)
    case 'queued_cli': {
      const missing = missingPlugin(config)
      return missing === undefined ? createSlurm(config, deps, log) : createUnavailable(config, missing)
    }
    case 'slurm':
      return createSlurm(config, deps, log)
    case 'queued_drmaa':
    case 'queued_drmaa_xsede':
      return createDrmaa(config, deps, log)
    case 'queued_condor':
    case 'coexecution':
      return createUnavailable(config, `type: ${config.type}`)
    default:
      throw unsupported(config, `type: ${config.type}`)
  }
}

/** @throws MagnetarError SCHEDULER_UNSUPPORTED for a manager with which no server starts */
export function demandSupported(config: Pick<ManagerConfig, 'name' | 'type'>): void {
  if (config.type !== 'queued_external_drmaa') return
  throw unsupported(
    config,
    'type: queued_external_drmaa, which runs each job as the user that Galaxy names. Running jobs as real users comes later; type: queued_drmaa runs them as the user of this server',
  )
}

async function createSlurm(config: ManagerConfig, deps: SchedulerDeps, log: Logger): Promise<Scheduler> {
  const { createSlurmScheduler } = await import('./slurm/slurm.js')
  return createSlurmScheduler(config, await deps.slurm.open(), log)
}

async function createDrmaa(config: ManagerConfig, deps: SchedulerDeps, log: Logger): Promise<Scheduler> {
  const { openDrmaa } = await import('./drmaa/open-drmaa.js')
  return openDrmaa(config, {
    log,
    hasSlurm: deps.hasSlurm,
    openSlurm: () => deps.slurm.open(),
    createSlurm: (nativeSpecification) => createSlurm({ ...config, nativeSpecification }, deps, log),
    program: deps.drmaaProgram,
  })
}

/** LocalShell is what the real one takes when none is named (pulsar cli/__init__.py: DEFAULT_SHELL_PLUGIN). */
function missingPlugin({ jobPlugin, shellPlugin = 'LocalShell' }: ManagerConfig): string | undefined {
  if (shellPlugin !== 'LocalShell') return `shell_plugin: ${shellPlugin}`
  return jobPlugin === 'Slurm' ? undefined : `job_plugin: ${jobPlugin ?? '(not set)'}`
}

async function createUnavailable(config: { readonly name: string }, what: string): Promise<Scheduler> {
  const { createUnavailableScheduler } = await import('./unavailable.js')
  return createUnavailableScheduler(unsupported(config, what).message)
}

function unsupported(config: { readonly name: string }, what: string): MagnetarError {
  return new MagnetarError(
    'SCHEDULER_UNSUPPORTED',
    `manager ${config.name}: this release cannot run jobs with ${what}`,
  )
}

/** Whether the manager's jobs run on this machine: their files show up at once. */
export function isLocal({ type }: Pick<ManagerConfig, 'type'>): boolean {
  return type === 'queued_python' || type === 'unqueued'
}

export interface SharedSlurm {
  /** Makes the service when it is first asked for, and then always gives that one. */
  open(): Promise<SlurmService>
  close(): Promise<void>
}

/** The Slurm of this process; costs nothing before a manager needs it. */
export function createSlurmService(options: {
  readonly log: Logger
  readonly env?: NodeJS.ProcessEnv
}): SharedSlurm {
  let service: Promise<SlurmService> | undefined
  return {
    open() {
      service ??= import('./slurm/service.js').then(({ openSlurm }) => openSlurm(options))
      return service
    },
    async close() {
      await service?.then((opened) => opened.close())
    },
  }
}
