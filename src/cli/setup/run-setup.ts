import { draftAnswers, type ResolveInput } from '../../setup/answers/answers.js'
import type { AnswerProblem } from '../../setup/answers/given.js'
import type { DecidedToken } from '../../setup/answers/token.js'
import { describeFacts } from '../../setup/facts.js'
import { lockNode } from '../../setup/lock.js'
import { findExistingNode } from '../../setup/probes/existing-node.js'
import { type PreparedSetup, prepareSetup, refuseBlocked } from '../../setup/run.js'
import { EXIT } from '../exit-codes.js'
import { packageRoot, version } from '../package.js'
import type { SetupCommandLine } from '../setup.js'
import { applyPrepared, type Ended } from './apply-prepared.js'
import { tellFailure } from './failure.js'
import { gatherInput, readTokenFile } from './gather.js'
import { type Interrupts, watchInterrupts } from './interrupts.js'
import { createOutput, type Output } from './output.js'
import { planEvent, showDiff, showList, showRemarks } from './show-plan.js'
import { swallowKeys } from './swallow-keys.js'

/** `magnetar setup`: resolves with the exit code. */
export async function runSetupCommand(commandLine: SetupCommandLine): Promise<number> {
  const output = createOutput(commandLine)
  const interrupts = watchInterrupts((text) => output.warn(text))
  const run: Run = { commandLine, output, interrupts, words: process.argv.slice(2), locks: createLocks() }
  try {
    const { exitCode, result, details } = await setUp(run)
    output.event('result', { result, exitCode, ...details })
    return exitCode
  } catch (error) {
    return tellFailure(error, run)
  } finally {
    await run.locks.release()
    interrupts.dispose()
  }
}

/** One call of the command. */
export interface Run {
  readonly commandLine: SetupCommandLine
  readonly output: Output
  readonly interrupts: Interrupts
  /** The command line, for "the same command again". */
  readonly words: readonly string[]
  readonly locks: ReturnType<typeof createLocks>
  /** Set when something is about to be changed. */
  applying?: { readonly prepared: PreparedSetup; readonly input: ResolveInput }
}

async function setUp(run: Run): Promise<Ended> {
  const { commandLine, output, interrupts } = run
  const { signal } = interrupts
  const { plan, diff, check, force } = commandLine
  const preview = plan || diff || check
  const answersFile = commandLine.answers ?? (process.env.MAGNETAR_SETUP_ANSWERS || undefined)
  const isAgreed = commandLine.yes || saysYes(process.env.MAGNETAR_SETUP_YES) || answersFile !== undefined
  const asks = !isAgreed && !preview && mayAsk(commandLine)
  const alone = asks ? swallowKeys : <T>(work: () => Promise<T>): Promise<T> => work()
  const gathered = await alone(() =>
    output.during('Looking around', () => gatherInput(commandLine, answersFile, signal)),
  )
  const agreement = isAgreed || preview || asks ? [] : [NOT_AGREED]
  const input = { ...gathered, problems: [...gathered.problems, ...agreement] }
  await tellFacts(input, output)

  let token: DecidedToken | undefined
  const prepare = async (wanted: ResolveInput): Promise<PreparedSetup> => {
    const source = { root: packageRoot(), version: version() }
    const lock = preview ? undefined : (prefix: string) => run.locks.take(prefix, signal)
    const planning = (): Promise<PreparedSetup> =>
      prepareSetup({
        input: wanted,
        readToken: (file) => readTokenFile(file, signal),
        source,
        signal,
        ...(lock ? { lock } : {}),
        ...(token ? { token } : {}),
      })
    const prepared = await alone(() => output.during('Working out the plan', planning))
    token = prepared.token
    output.event('answers', describeAnswers(prepared))
    output.event('plan', planEvent(prepared.plan))
    return prepared
  }
  const apply = (prepared: PreparedSetup, wanted: ResolveInput): Promise<Ended> => {
    refuseBlocked(prepared.plan)
    run.applying = { prepared, input: wanted }
    const options = { keep: commandLine.keep, words: run.words }
    return alone(() => applyPrepared(prepared, wanted.given, options, output))
  }

  if (asks) {
    const { decide } = await import('./interactive.js')
    const decision = await decide(input, prepare, output, signal)
    if (decision === undefined) {
      output.say('Nothing was changed.')
      return { exitCode: EXIT.ok, result: 'nothing to do' }
    }
    return apply(decision.prepared, decision.input)
  }
  const prepared = await prepare(input)
  if (preview) return show(prepared, { diff, check, force }, output)
  refuseBlocked(prepared.plan)
  if (prepared.plan.changes.length > 0 && output.isVerbose) showList(prepared.plan, output)
  showRemarks(prepared.plan, output)
  return apply(prepared, input)
}

function show(
  { plan, context }: PreparedSetup,
  { diff, check }: { readonly diff: boolean; readonly check: boolean; readonly force: boolean },
  output: Output,
): Ended {
  const isWanted = plan.changes.length === 0 && plan.conflicts.length === 0
  if (diff) showDiff(plan, output)
  else if (!isWanted) showList(plan, output)
  if (!diff) showRemarks(plan, output)
  if (isWanted) output.say(`${context.answers.prefix} is as wanted: nothing to do.`)
  const isBlocked = plan.conflicts.some(({ blocking }) => blocking)
  const exitCode = check && !isWanted ? EXIT.drift : isBlocked ? EXIT.failed : EXIT.ok
  return {
    exitCode,
    result: isBlocked ? 'conflicts' : isWanted ? 'nothing to do' : 'would change',
    details: { prefix: context.answers.prefix },
  }
}

async function tellFacts(input: ResolveInput, output: Output): Promise<void> {
  const { facts, machine } = input
  const { answers } = await draftAnswers(input)
  const { prefix, host = 'localhost', port } = answers
  const more = {
    ...(port === undefined ? {} : { port: { number: port, free: await machine.isPortFree(host, port) } }),
    ...(prefix === undefined ? {} : { existing: await findExistingNode(prefix) }),
  }
  output.say(`Looked around: ${describeFacts(facts, more)}`)
  output.event('facts', { facts, ...more })
}

/** All but the token, with where each came from. */
function describeAnswers({ resolved, token }: PreparedSetup): Record<string, unknown> {
  const { token: _secret, ...answers } = resolved.answers
  return { answers, sources: resolved.sources, token: token.source }
}

const NOT_AGREED: AnswerProblem = {
  name: undefined,
  kind: 'missing',
  spelled: '--yes',
  message: 'there is no terminal to ask on; --yes takes what was found, and --plan shows what that would do',
}

/** A person sits at a terminal that can be drawn on. */
function mayAsk({ json, quiet }: SetupCommandLine): boolean {
  return process.stdin.isTTY && process.stdout.isTTY && process.env.TERM !== 'dumb' && !json && !quiet
}

function saysYes(text: string | undefined): boolean {
  return /^(yes|true|on|1)$/i.test(text ?? '')
}

/** One node is locked at a time: in the wizard the prefix may become another. */
function createLocks() {
  let held: { readonly prefix: string; readonly release: () => Promise<void> } | undefined
  const release = async (): Promise<void> => {
    await held?.release()
    held = undefined
  }
  return {
    async take(prefix: string, signal: AbortSignal): Promise<void> {
      if (held?.prefix === prefix) return
      await release()
      held = { prefix, release: await lockNode(prefix, signal) }
    },
    release,
  }
}
