/** Adoption and return: the program is put beside, the service changes hands, and changes back when that does not work. */
import type { ManagerType } from '../../config/types.js'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { quoteForShell } from '../../lib/shell.js'
import { abortAfter } from '../../lib/time-limit.js'
import { type ApplyResult, applyPlan } from '../apply/apply.js'
import type { Change, Plan } from '../types.js'
import type { FoundPulsar, PreparedAdoption } from './adoption.js'
import { describeLeft, handOver } from './hand-over.js'
import { type AdoptionRecord, planRecord, recordFile } from './record.js'
import { planBack, planForward, planReturn, undoOf } from './service-edit.js'
import { stateInWords } from './state-in-words.js'
import {
  leaveStopped,
  restartMagnetar,
  type SwitchLimits,
  type SwitchStage,
  switchService,
} from './switch-service.js'
import { tryService } from './try-service.js'

export type AdoptionStage = 'install' | 'try' | SwitchStage | 'hand over' | 'go back'

export interface CarryOutOptions {
  readonly onStage: (stage: AdoptionStage) => void
  /** Of the change, not of the way back. */
  readonly limits?: SwitchLimits
  /** Ctrl-C: while the program is put beside, the rest is left; afterwards the service goes back to what it ran. */
  readonly signal: AbortSignal
}

/** The way back is not cut off by the signal that made it necessary. */
const BACK_LIMIT_MS = 180_000

/**
 * Takes the Pulsar over.
 * @returns whether it was; false: interrupted while nothing that runs was touched
 * @throws MagnetarError ADOPT_REFUSED when Magnetar itself says that it would not start; ADOPT_FAILED once the service is back, or with
 * what is left to be done by hand; ApplyError
 */
export async function adopt(prepared: PreparedAdoption, options: CarryOutOptions): Promise<boolean> {
  const { installation, service, edit, program, prefix, record } = prepared
  const { kind, name } = service.definition
  const fresh: AdoptionRecord = {
    version: 1,
    state: 'adopting',
    directory: installation.directory,
    service: { kind, name },
    ...edit,
    wasStopped: wasStopped(prepared),
  }
  options.onStage('install')
  const installed = await apply(prefix, program.install.changes, options.signal)
  if (installed.interrupted) return false
  // The last look: with the very program, while the Python Pulsar still runs.
  if (!prepared.runsMagnetar) {
    options.onStage('try')
    await tryService(prepared, options.signal)
  }
  const noted = await apply(prefix, await planRecord(prefix, record, fresh), options.signal)
  if (noted.interrupted) return false
  const change = async (): Promise<void> => {
    await apply(prefix, await planForward(fresh, options.signal), options.signal)
  }
  try {
    await switchService(
      { ...switchOf(prepared, options), ...limitsOf(options), to: 'magnetar', change },
      options.signal,
    )
  } catch (error) {
    throw withStuckJobs(await goBack(prepared, fresh, 'python', error, options), prepared)
  }
  await note(prefix, fresh, 'adopted')
  return true
}

/** A run that was killed left the service stopped: what it was before stands on record. */
function wasStopped({ status, record }: FoundPulsar): boolean {
  const isBetween = record?.state === 'adopting' || record?.state === 'returning'
  return isBetween ? record.wasStopped === true : status === 'stopped'
}

/**
 * Gives the service back to the Python Pulsar, with all jobs: a Magnetar that was not stopped in good order is once more started and
 * stopped. `abandon`: jobs that it cannot be given are left.
 * @throws MagnetarError ADOPT_FAILED when that does not run; then Magnetar does again
 */
export async function giveBack(
  found: FoundPulsar,
  record: AdoptionRecord,
  options: CarryOutOptions & { readonly abandon?: boolean },
): Promise<void> {
  const { prefix, config } = found
  const { signal } = options
  // Before anything is stopped: it may have to be refused, and should it fail, it is this file that comes back.
  const planned = await planReturn(found, record, signal)
  const undo = await undoOf(planned, record, signal)
  const returning = await note(prefix, record, 'returning')
  const change = async (): Promise<void> => {
    await apply(prefix, await planBack(returning, signal), signal)
  }
  const parts = { ...switchOf(found, options), ...limitsOf(options) }
  const afterStop = async (): Promise<void> => {
    if (config === undefined || options.abandon) return
    const { control } = found.handle
    const restart = async (): Promise<void> => {
      options.onStage('hand over')
      // A return that was killed may have changed the file already.
      if ((await planBack(returning, signal)).length === 0)
        await apply(prefix, await planForward({ ...returning, ...undo }, signal), signal)
      await restartMagnetar(parts, signal)
    }
    const commands = { start: control.commandFor('start'), stop: control.commandFor('stop') }
    const { configDirectory } = parts
    await handOver({ config, count: found.countNotHandedOver, commands, configDirectory, restart }, signal)
  }
  try {
    await switchService({ ...parts, to: 'python', change, afterStop }, signal)
  } catch (error) {
    throw await goBack(found, { ...returning, ...undo }, 'magnetar', error, options, returning)
  }
  await note(prefix, returning, 'returned')
}

/** The other server again. Never throws: gives the error that is to be told. `kept`: what stays on record, where that is another. */
async function goBack(
  found: FoundPulsar,
  record: AdoptionRecord,
  to: 'python' | 'magnetar',
  why: unknown,
  options: CarryOutOptions,
  kept = record,
): Promise<MagnetarError> {
  const { prefix } = found
  const { name } = found.service.definition
  const said = options.signal.aborted ? 'interrupted' : messageOf(why)
  const server = to === 'python' ? 'the Python Pulsar' : 'Magnetar'
  let left = ''
  options.onStage('go back')
  try {
    const signal = abortAfter(BACK_LIMIT_MS)
    const change = async (): Promise<void> => {
      const changes = to === 'python' ? await planBack(record, signal) : await planForward(record, signal)
      await apply(prefix, changes, signal)
    }
    const afterStop = async (): Promise<void> => {
      if (to === 'python') left = await leftBehind(found, signal)
    }
    const parts = { ...switchOf(found, options), change, afterStop, onStage: () => {} }
    const stays = to === 'python' && record.wasStopped === true
    await (stays ? leaveStopped(parts, signal) : switchService({ ...parts, to }, signal))
    await note(prefix, kept, to === 'python' ? 'returned' : 'adopted')
    const now = stays ? 'has its command as it was, and is stopped' : `runs ${server} again`
    const message = `${said}\nTaken back: ${name} ${now}, as before.${left}`
    return new MagnetarError('ADOPT_FAILED', message, { cause: why, fix: fixOf(why) })
  } catch (error) {
    if (to === 'python' && (await isBackAsItWas(found, record))) {
      const state = await stateOf(found)
      const message = `${said}\nTaken back: the command of ${name} is as it was. The Python Pulsar did not run well before either (it ${found.state}); now it ${state}.${left}`
      // Nobody is to take it for a run that was killed, nor to believe that Magnetar is in use.
      await note(prefix, record, 'returned').catch(() => undefined)
      return new MagnetarError('ADOPT_FAILED', message, { cause: why, fix: fixOf(why) })
    }
    const message = `${said}\nTaking it back did not work either: ${messageOf(error)}${left}`
    const { path } = record.edit
    return new MagnetarError('ADOPT_FAILED', message, {
      fix: `Nothing is lost: ${recordFile(prefix, record.service)} has ${path} as it was. When what is said above is corrected, "magnetar adopt ${record.directory}" goes on, and with --undo back.`,
      cause: error,
    })
  }
}

/** A sentence, when Magnetar has taken jobs and was not stopped in good order. */
async function leftBehind({ config, countNotHandedOver }: FoundPulsar, signal: AbortSignal): Promise<string> {
  const left = config === undefined ? 0 : await countNotHandedOver(config, signal).catch(() => 0)
  return left === 0 ? '' : `\n${describeLeft(left)}. "magnetar adopt" goes on with them, once it works.`
}

/** A Python Pulsar that is started drops the local jobs that it finds running (docs/migrating.md), and was just started. */
function withStuckJobs(
  error: MagnetarError,
  { runsMagnetar, jobs, config, installation }: PreparedAdoption,
): MagnetarError {
  const running =
    config.managers.some(({ type }) => isLocal(type)) && !runsMagnetar ? jobs.queuedOrRunning : 0
  if (running === 0) return error
  const [were, them] = running === 1 ? ['1 job was', 'it'] : [`${running} jobs were`, 'them']
  const command = `magnetar adopt ${quoteForShell(installation.directory)}`
  const line = `${were} queued or running before the stop: a Python Pulsar that was started again calls local ones running or lost for ever, also when they have ended. Magnetar finds ${them}, and gives Galaxy what came of ${them}, once it runs: ${command}`
  const { cause, fix } = error
  return new MagnetarError(error.code, `${error.message}\n${line}`, {
    cause,
    ...(fix === undefined ? {} : { fix }),
  })
}

function isLocal(type: ManagerType): boolean {
  return type === 'queued_python' || type === 'unqueued'
}

async function stateOf({ service, handle }: FoundPulsar): Promise<string> {
  const explained = await handle.control.explain(abortAfter(BACK_LIMIT_MS)).catch(() => 'unknown')
  return stateInWords(service.definition.kind, explained)
}

/** Not the service manager's restart, which would only start again what runs now. */
function fixOf(why: unknown): string {
  const fix = why instanceof MagnetarError && why.code !== 'SERVICE_FAILED' ? why.fix : undefined
  return fix ?? 'Correct that, then run the same command again.'
}

function switchOf(
  { service, handle, prefix, config, configProblem, access }: FoundPulsar,
  { onStage }: CarryOutOptions,
): Omit<Parameters<typeof switchService>[0], 'to' | 'change'> {
  const { definition, pulsar } = service
  return {
    service: handle,
    name: definition.name,
    prefix,
    config,
    configProblem,
    access,
    configDirectory: pulsar.configDirectory,
    user: definition.user,
    onStage,
  }
}

/** Of a service that did not run when adopt was called, the file is all that there is to give back. */
async function isBackAsItWas(
  { status, record: before }: FoundPulsar,
  record: AdoptionRecord,
): Promise<boolean> {
  const ran = status === 'running' || before?.state === 'adopting' || before?.state === 'adopted'
  return !ran && (await planBack(record, abortAfter(BACK_LIMIT_MS))).length === 0
}

/** The way back always has the full time. */
function limitsOf({ limits }: CarryOutOptions): { readonly limits?: SwitchLimits } {
  return limits === undefined ? {} : { limits }
}

async function note(
  prefix: string,
  record: AdoptionRecord,
  state: AdoptionRecord['state'],
): Promise<AdoptionRecord> {
  const after = { ...record, state }
  await apply(prefix, await planRecord(prefix, record, after), abortAfter(BACK_LIMIT_MS))
  return after
}

function apply(prefix: string, changes: readonly Change[], signal: AbortSignal): Promise<ApplyResult> {
  const plan: Plan = {
    changes,
    conflicts: [],
    notes: [],
    manifest: { version: 1, answers: {}, files: {}, madeUser: false },
  }
  return applyPlan(plan, { prefix, manifestFile: undefined, keep: false, signal })
}
