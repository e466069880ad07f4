import type { AnswerLayers } from '../../setup/answers/given.js'
import { nameChange } from '../../setup/apply/apply-error.js'
import { carryOut, type PreparedSetup, type SetupEvent } from '../../setup/run.js'
import { steps } from '../../setup/steps/index.js'
import { EXIT } from '../exit-codes.js'
import { SIGNS } from '../palette.js'
import { showNextSteps } from './next-steps.js'
import type { Output } from './output.js'
import { type Progress, seconds } from './progress.js'
import { createLineProgress } from './progress-lines.js'
import { showInterrupted, showJob, showWaysOut } from './results.js'
import { stagesOf } from './stages.js'

/** What a run has come to, for the last event of --json. */
export interface Ended {
  readonly exitCode: number
  readonly result: 'changed' | 'nothing to do' | 'would change' | 'conflicts' | 'interrupted'
  readonly details?: Readonly<Record<string, unknown>>
}

/** Carries a plan out and tells how it goes. @throws what carrying out throws */
export async function applyPrepared(
  prepared: PreparedSetup,
  given: AnswerLayers,
  options: { readonly keep: boolean; readonly words: readonly string[] },
  output: Output,
): Promise<Ended> {
  const { plan, context } = prepared
  const isChanged = plan.changes.length > 0
  const startedMs = performance.now()
  const progress = isChanged ? await createProgress(prepared, output) : undefined
  const onEvent = (event: SetupEvent): void => {
    progress?.onEvent(event)
    output.event(...describeEvent(event))
  }
  const outcome = await carryOut(prepared, { keep: options.keep, onEvent }).finally(() => progress?.end())
  const { applied } = outcome
  for (const warning of applied.warnings) output.warn(warning)
  if (applied.interrupted) {
    showInterrupted(applied, prepared, given, options.words, output)
    const { done, cutOff, left } = applied
    return { exitCode: EXIT.interrupted, result: 'interrupted', details: { done, cutOff, left } }
  }
  if (outcome.unproved) {
    output.warn('Interrupted. Everything is set up, but whether jobs run was not seen.')
    showWaysOut(context.answers.prefix, given, options.words, output)
    return { exitCode: EXIT.interrupted, result: 'interrupted', details: { done: applied.done, left: [] } }
  }
  showJob(outcome, output)
  const { prefix } = context.answers
  tellEnd(prepared, applied.done.length, performance.now() - startedMs, output)
  if (output.isVerbose || concernsGalaxy(prepared)) await showNextSteps(prepared, output)
  const result = isChanged ? 'changed' : 'nothing to do'
  const job = outcome.job && { states: outcome.job.states, ms: outcome.job.ms, node: outcome.job.node }
  const details = { ...(job ? { job } : {}), prefix }
  // What was asked for is not so: a script must not take that for done.
  if (plan.conflicts.length > 0)
    return { exitCode: EXIT.drift, result: 'conflicts', details: { ...details, changed: isChanged } }
  return { exitCode: EXIT.ok, result, details }
}

function tellEnd({ plan, context }: PreparedSetup, done: number, ms: number, output: Output): void {
  const { palette } = output
  const { prefix } = context.answers
  const left = plan.conflicts.length
  const open = left === 0 ? '' : `; ${left} conflict${left === 1 ? ' is' : 's are'} left alone, see above`
  const sign = left === 0 ? palette.green(SIGNS.done) : palette.yellow('!')
  if (done > 0) {
    const what = context.manifest === undefined ? 'Set up in' : 'Changed'
    output.say(`${sign} ${what} ${prefix}: ${done} change${done === 1 ? '' : 's'} in ${seconds(ms)}${open}`)
  } else output.say(`${sign} Nothing to do: ${left === 0 ? `${prefix} is as wanted.` : open.slice(2)}`)
}

/** Whether the Galaxy server has to be told: the node is new, or its address, token or directories may be others. */
function concernsGalaxy({ plan, context: { manifest, paths } }: PreparedSetup): boolean {
  const files = [paths.appYml, paths.serverIni, paths.tlsPem]
  return plan.changes.some(
    (change) => manifest === undefined || ('path' in change && files.includes(change.path)),
  )
}

async function createProgress(prepared: PreparedSetup, output: Output): Promise<Progress> {
  const stages = stagesOf(prepared, steps)
  if (!output.draws) return createLineProgress(stages, output)
  const { createTaskProgress } = await import('./progress-tasks.js')
  return createTaskProgress(stages, output)
}

/** Without what is written: a file may hold the token. */
function describeEvent(event: SetupEvent): [string, Record<string, unknown>] {
  if (event.type !== 'change') {
    const { type, ...details } = event
    return [type, details]
  }
  const { change, state, index, total, ms, text } = event
  return [
    'change',
    {
      state,
      ...nameChange(change),
      index,
      total,
      ...(ms === undefined ? {} : { ms: Math.round(ms) }),
      ...(text === undefined ? {} : { text }),
    },
  ]
}
