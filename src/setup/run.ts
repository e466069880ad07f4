import { MagnetarError, messageOf } from '../lib/errors.js'
import { type Resolved, type ResolveInput, resolveAnswers } from './answers/answers.js'
import { type DecidedToken, decideToken } from './answers/token.js'
import { type ApplyEvent, type ApplyResult, applyPlan } from './apply/apply.js'
import { nodePaths } from './paths.js'
import { makePlan } from './plan.js'
import { newerRelease } from './release/newer.js'
import { serviceControl } from './services/service-control.js'
import { steps } from './steps/index.js'
import { isExplicit, type Plan, type SetupContext, type Step } from './types.js'
import { clearUnproved, isUnproved, markUnproved } from './verify/unproved.js'
import { verifyNode } from './verify/verify.js'
import { waitHealthy } from './verify/wait-healthy.js'

/** What a setup is made of; tests give others. */
export interface SetupParts {
  readonly steps: readonly Step[]
  readonly makePlan: typeof makePlan
  readonly applyPlan: typeof applyPlan
  readonly waitHealthy: typeof waitHealthy
  readonly verifyNode: typeof verifyNode
}

const PARTS: SetupParts = { steps, makePlan, applyPlan, waitHealthy, verifyNode }

export interface SetupRequest {
  readonly input: ResolveInput
  /** The token in a file that was named; `-` is standard input. */
  readonly readToken: (file: string) => Promise<string>
  /** The package that runs. */
  readonly source: SetupContext['source']
  readonly signal: AbortSignal
  /** Called before the disk is looked at, when what is planned may be applied. */
  readonly lock?: (prefix: string) => Promise<void>
  /** Of an earlier plan, so that a generated one stays the same. */
  readonly token?: DecidedToken
}

/** What would be done; nothing is yet. */
export interface PreparedSetup {
  readonly resolved: Resolved
  readonly context: SetupContext
  readonly token: DecidedToken
  readonly plan: Plan
}

/**
 * Answers and plan. The disk is only read.
 * @throws AnswersError, NOT_PERMITTED, SETUP_CONFLICT, RUNTIME_UNAVAILABLE …; the signal's reason when aborted
 */
export async function prepareSetup(request: SetupRequest, parts = PARTS): Promise<PreparedSetup> {
  const { input, signal } = request
  const found = await resolveAnswers(input)
  const given = found.tokenFile === undefined ? undefined : await request.readToken(found.tokenFile)
  const resolved: Resolved = { ...found, answers: { ...found.answers, token: given } }
  const { answers, sources, manifest } = resolved
  await request.lock?.(answers.prefix)
  const paths = nodePaths(answers.prefix, answers.instance)
  const token = request.token ?? (await decideToken(given, paths, signal))
  const newer = await newerRelease(paths, request.source)
  const context: SetupContext = {
    answers,
    sources,
    facts: input.facts,
    paths,
    manifest,
    token: token.token,
    force: input.force,
    source: newer ?? request.source,
    signal,
  }
  const plan = await parts.makePlan(context, parts.steps)
  if (newer === undefined) return { resolved, context, token, plan }
  const note = `${paths.prefix} runs ${newer.version}, newer than this ${request.source.version}: kept; magnetar rollback or upgrade --to changes it`
  return { resolved, context, token, plan: { ...plan, notes: [note, ...plan.notes] } }
}

/** Before anything is changed. @throws MagnetarError SETUP_CONFLICT with all that keeps the node from ever working */
export function refuseBlocked({ conflicts }: Plan): void {
  const messages = conflicts.flatMap(({ blocking, message }) => (blocking ? [message] : []))
  if (messages.length === 0) return
  const fix = 'Nothing was changed. Do what is said above, or change the answers, then run the command again.'
  throw new MagnetarError('SETUP_CONFLICT', messages.join('\n'), { fix })
}

/** What happens while a plan is carried out. */
export type SetupEvent =
  | ({ readonly type: 'change' } & Omit<ApplyEvent, 'type'> & { readonly state: ApplyEvent['type'] })
  | { readonly type: 'applied' }
  | { readonly type: 'waiting' }
  | { readonly type: 'healthy'; readonly url: string; readonly ms: number }
  | { readonly type: 'verifying' }
  | { readonly type: 'status'; readonly status: string }

export interface SetupOutcome {
  readonly applied: ApplyResult
  /** Ended by the signal after everything was applied: before the node answered, or the job was through. */
  readonly unproved: boolean
  /** undefined: no job was sent, because `whyNoJob`, or nothing was to be done. */
  readonly job: { readonly states: readonly string[]; readonly ms: number; readonly node: string } | undefined
  readonly whyNoJob: string | undefined
}

/**
 * Applies the plan, waits until the service answers, and sends a job through the node: when anything was changed, when the last such
 * job did not go through, and when --verify asks for it.
 * @throws SETUP_CONFLICT before anything is changed; ApplyError, SERVICE_FAILED, VERIFY_FAILED
 */
export async function carryOut(
  { context, plan, resolved }: PreparedSetup,
  options: { readonly keep: boolean; readonly onEvent: (event: SetupEvent) => void },
  parts = PARTS,
): Promise<SetupOutcome> {
  const { answers, facts, paths, signal, sources } = context
  const { onEvent } = options
  refuseBlocked(plan)
  const applied = await parts.applyPlan(plan, {
    prefix: paths.prefix,
    manifestFile: paths.manifest,
    keep: options.keep,
    signal,
    onEvent: ({ type, ...event }) => onEvent({ type: 'change', state: type, ...event }),
  })
  const nothing: SetupOutcome = { applied, unproved: false, job: undefined, whyNoJob: undefined }
  if (applied.interrupted) return nothing
  onEvent({ type: 'applied' })
  const isChanged = plan.changes.length > 0
  const prove = answers.verify && (isChanged || isExplicit(sources.verify) || (await isUnproved(paths)))
  try {
    if (prove && answers.start) await markUnproved(paths)
    if (answers.service !== 'none' && answers.start && (isChanged || prove)) {
      onEvent({ type: 'waiting' })
      const control = serviceControl(answers.service, paths, facts)
      onEvent({ type: 'healthy', ...(await parts.waitHealthy({ paths, control, signal })) })
    }
    if (!prove) return nothing
    onEvent({ type: 'verifying' })
    const onStatus = (status: string): void => onEvent({ type: 'status', status })
    const result = await parts.verifyNode({ paths, answers: resolved.answers, facts, signal, onStatus })
    if (!result.ran) return { ...nothing, whyNoJob: result.why }
    await clearUnproved(paths)
    return { ...nothing, job: { states: result.states, ms: result.ms, node: result.node } }
  } catch (error) {
    if (!signal.aborted) throw error
    return { ...nothing, unproved: true, whyNoJob: messageOf(error) }
  }
}
