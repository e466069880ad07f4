/** Adoption and return: the program is put beside, the service changes hands, and changes back when that does not work. */
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { abortAfter } from '../../lib/time-limit.js'
import { type ApplyResult, applyPlan } from '../apply/apply.js'
import type { Change, Plan } from '../types.js'
import type { FoundPulsar, PreparedAdoption } from './adoption.js'
import { type AdoptionRecord, planRecord, recordFile } from './record.js'
import { planBack, planForward, planReturn, undoOf } from './service-edit.js'
import { type SwitchLimits, type SwitchStage, switchService } from './switch-service.js'

export type AdoptionStage = 'install' | SwitchStage | 'go back'

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
 * @throws MagnetarError ADOPT_FAILED once the service is back, or with what is left to be done by hand; ApplyError
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
  }
  options.onStage('install')
  const { changes } = program.install
  const installed = await apply(
    prefix,
    [...changes, ...(await planRecord(prefix, record, fresh))],
    options.signal,
  )
  if (installed.interrupted) return false
  const change = async (): Promise<void> => {
    await apply(prefix, await planForward(fresh, options.signal), options.signal)
  }
  try {
    await switchService(
      { ...switchOf(prepared, options), ...limitsOf(options), to: 'magnetar', change },
      options.signal,
    )
  } catch (error) {
    throw await goBack(prepared, fresh, 'python', error, options)
  }
  await note(prefix, fresh, 'adopted')
  return true
}

/**
 * Gives the service back to the Python Pulsar.
 * @throws MagnetarError ADOPT_FAILED when that does not run; then Magnetar does again
 */
export async function giveBack(
  found: FoundPulsar,
  record: AdoptionRecord,
  options: CarryOutOptions,
): Promise<void> {
  const { prefix } = found
  const { signal } = options
  // Before anything is stopped: it may have to be refused, and should it fail, it is this file that comes back.
  const planned = await planReturn(found, record, signal)
  const undo = await undoOf(planned, record, signal)
  const returning = await note(prefix, record, 'returning')
  const change = async (): Promise<void> => {
    await apply(prefix, await planBack(returning, signal), signal)
  }
  try {
    await switchService({ ...switchOf(found, options), ...limitsOf(options), to: 'python', change }, signal)
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
  options.onStage('go back')
  try {
    const signal = abortAfter(BACK_LIMIT_MS)
    const change = async (): Promise<void> => {
      const changes = to === 'python' ? await planBack(record, signal) : await planForward(record, signal)
      await apply(prefix, changes, signal)
    }
    await switchService({ ...switchOf(found, options), to, change, onStage: () => {} }, signal)
    await note(prefix, kept, to === 'python' ? 'returned' : 'adopted')
    const message = `${said}\nTaken back: ${name} runs ${server} again, as before.`
    return new MagnetarError('ADOPT_FAILED', message, { cause: why, fix: fixOf(why) })
  } catch (error) {
    if (to === 'python' && (await isBackAsItWas(found, record))) {
      const message = `${said}\nTaken back: the command of ${name} is as it was. The Python Pulsar does not run now, nor did it before.`
      // Nobody is to take it for a run that was killed, nor to believe that Magnetar is in use.
      await note(prefix, record, 'returned').catch(() => undefined)
      return new MagnetarError('ADOPT_FAILED', message, { cause: why, fix: fixOf(why) })
    }
    const message = `${said}\nTaking it back did not work either: ${messageOf(error)}`
    const { path } = record.edit
    return new MagnetarError('ADOPT_FAILED', message, {
      fix: `Nothing is lost: ${recordFile(prefix, record.service)} has ${path} as it was. When what is said above is corrected, "magnetar adopt ${record.directory}" goes on, and with --undo back.`,
      cause: error,
    })
  }
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
