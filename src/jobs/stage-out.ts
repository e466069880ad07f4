import { setImmediate as nextTurn } from 'node:timers/promises'
import { errnoOf, mayPass } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { backoffMs, pause } from '../lib/timing.js'
import { untilAborted } from '../lib/until-aborted.js'
import type { LocalFile } from '../staging/action.js'
import { findAction } from '../staging/actions/index.js'
import type { PlannedOutput } from '../staging/output-plan.js'
import { TransferError } from '../staging/transfer-error.js'
import type { Delivery } from './disk/delivery.js'
import { planner } from './disk/planner.js'
import { uploadTarget } from './file-types.js'
import type { Job, ManagerContext } from './job.js'
import { noteEvent } from './journal/note.js'
import { type FileToMove, moveFiles, nameOf, reasonOf } from './move-files.js'

const SHOWN_FAILURES = 5
/** What the job left is looked at so often before a disk that cannot be read fails it: some ten seconds. */
const PLAN_ATTEMPTS = 6
const PLAN_PAUSE_MS = 300

/**
 * Delivers what the job made (pulsar/managers/staging/post.py). Resolves when every file was delivered or given up, with the
 * reason why the job failed; undefined: everything arrived. @throws the signal's reason
 */
export async function stageOut(
  context: ManagerContext,
  job: Job,
  signal: AbortSignal,
): Promise<string | undefined> {
  const delivery = await plan(job, signal)
  for (const warning of delivery.warnings) context.log.warn({ job: job.id }, warning)
  const failures = [...delivery.failures]
  const log = createGiveUpLog(context.log.child({ job: job.id }))
  const files: FileToMove[] = []
  for (const page of delivery.pages) {
    // Other jobs have their turn in between.
    await nextTurn()
    for (const output of JSON.parse(page) as PlannedOutput[])
      files.push(...fileToMove(context, job, output, failures, log))
  }
  noteEvent(context, job.id, { kind: 'delivering', due: files.length })
  try {
    await moveFiles(context, job, 'out', files, signal)
  } finally {
    log.close()
  }
  if (failures.length === 0) return undefined
  const more = failures.length > SHOWN_FAILURES ? [`and ${failures.length - SHOWN_FAILURES} more`] : []
  return [
    `${failures.length} of the job's outputs could not be delivered to Galaxy:`,
    ...failures.slice(0, SHOWN_FAILURES),
    ...more,
  ].join('\n')
}

/** @throws the signal's reason, also while the plan is being made */
async function plan(job: Job, signal: AbortSignal): Promise<Delivery> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    try {
      return await untilAborted(planner.planDelivery(job.directory.path), signal)
    } catch (error) {
      if (errnoOf(error) === 'ERR_WORKER_OUT_OF_MEMORY')
        throw new Error('what the job left is too much to be looked through', { cause: error })
      if (!mayPass(error) || attempt === PLAN_ATTEMPTS) throw error
      await pause(backoffMs(attempt - 1, PLAN_PAUSE_MS, Number.POSITIVE_INFINITY), signal)
    }
  }
}

interface GiveUpLog {
  say(level: 'warn' | 'error', line: string): void
  close(): void
}

/** The first few lines; of ten thousand more only how many there are. */
function createGiveUpLog(log: Logger): GiveUpLog {
  let lines = 0
  return {
    say(level, line) {
      if (++lines <= SHOWN_FAILURES) log[level](line)
    },
    close() {
      if (lines > SHOWN_FAILURES) log.warn(`${lines - SHOWN_FAILURES} more files were not delivered`)
    },
  }
}

function fileToMove(
  context: ManagerContext,
  job: Job,
  output: PlannedOutput,
  failures: string[],
  log: GiveUpLog,
): FileToMove[] {
  const what = `${output.type} ${output.name}`
  const giveUp = (error: unknown): void => {
    const forgiven = isForgiven(output, error)
    log.say(forgiven ? 'warn' : 'error', `not delivered: ${reasonOf(what, error)}`)
    if (!forgiven) failures.push(reasonOf(what, error))
    else {
      const file = nameOf('out', output.action, localOf(job, output))
      noteEvent(context, job.id, { kind: 'not-wanted', file, name: what })
    }
  }
  try {
    const action = findAction(output.action.action_type)
    if (action.movedBy !== 'node') return []
    const { stageOut: move } = action
    if (!move)
      throw new TransferError(`this node cannot deliver a file by the action ${action.type}`, {
        transient: false,
      })
    return [
      {
        action: output.action,
        what,
        local: localOf(job, output),
        move: (spec, local, tools) => move.call(action, spec, local, tools),
        onGiveUp: giveUp,
      },
    ]
  } catch (error) {
    giveUp(error)
    return []
  }
}

function localOf(job: Job, { type, name }: PlannedOutput): LocalFile {
  return uploadTarget(job.directory.path, type, name)
}

/**
 * What does not fail the job (reference: staging §5.2): Galaxy says that it does not want the file (403: its job is over or
 * paused there), or an output in the working directory that the tool did not make.
 */
function isForgiven(output: PlannedOutput, error: unknown): boolean {
  if (!(error instanceof TransferError)) return false
  return error.status === 403 || (error.missingFile && output.mayBeMissing)
}
