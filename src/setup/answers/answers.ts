import { MagnetarError } from '../../lib/errors.js'
import type { AnswerKey, AnswerSource, Answers, Facts, Manifest } from '../types.js'
import { checkAnswers } from './answer-rules.js'
import { type AnswerLayers, type AnswerProblem, type CheckedState, findGiven, type Given } from './given.js'
import type { Known, Machine, OptionName, SetupOption } from './option.js'
import type { Base } from './option-types.js'
import { SETUP_OPTIONS } from './options/index.js'

export interface Draft {
  readonly answers: Partial<Answers>
  readonly sources: Record<AnswerKey, AnswerSource>
  /** Why it is so, of what was found: "sinfo answers", "the last setup". */
  readonly reasons: Partial<Record<OptionName, string>>
  /** Where the token is to be read from; `-` is standard input. */
  readonly tokenFile: string | undefined
  readonly manifest: Manifest | undefined
  readonly problems: readonly AnswerProblem[]
}

export type Resolved = Omit<Draft, 'answers' | 'problems'> & { readonly answers: Answers }

export interface ResolveInput {
  readonly given: AnswerLayers
  /** What is wrong with what was given, as far as is known already: unknown names, two flags that exclude each other. */
  readonly problems: readonly AnswerProblem[]
  readonly facts: Facts
  readonly machine: Machine
  /** Other files at the prefix do not matter. */
  readonly force: boolean
  /** What the last setup of that prefix left. */
  readonly readManifest: (prefix: string, instance: string | undefined) => Promise<Manifest | undefined>
}

const HEADS = {
  ANSWER_INVALID: 'these answers are missing or cannot be used:',
  ANSWERS_MISSING: 'these answers are missing:',
  NOT_PERMITTED: 'this user may not do what these answers say:',
} as const

/** One or more answers are missing or cannot be used; the message has a line for each. */
export class AnswersError extends MagnetarError {
  readonly problems: readonly AnswerProblem[]
  constructor(problems: readonly AnswerProblem[]) {
    const code = problems.some(({ kind }) => kind === 'invalid')
      ? 'ANSWER_INVALID'
      : problems.some(({ kind }) => kind === 'missing')
        ? 'ANSWERS_MISSING'
        : 'NOT_PERMITTED'
    const lines = problems.map(({ spelled, message }) => `${spelled}: ${message}`)
    super(code, lines.length === 1 ? `${lines[0]}` : `${HEADS[code]}\n  ${lines.join('\n  ')}`)
    this.problems = problems
  }
}

/**
 * All answers, complete and valid: flag before environment before answers file before wizard before what was found (the last setup of
 * that prefix, then the machine) before the default. `answers.token` is left out: `tokenFile` says where it is.
 * @throws AnswersError that names everything that is missing or wrong
 */
export async function resolveAnswers(input: ResolveInput): Promise<Resolved> {
  const draft = await draftAnswers(input)
  if (draft.problems.length > 0) throw new AnswersError(draft.problems)
  return { ...draft, answers: draft.answers as Answers }
}

/** The same with the problems told instead of thrown, for the wizard: where there are any, answers may be missing. */
export async function draftAnswers(input: ResolveInput): Promise<Draft> {
  const { facts, machine, given } = input
  const values: Partial<Record<OptionName, unknown>> = {}
  const sources: Partial<Record<OptionName, AnswerSource>> = {}
  const reasons: Partial<Record<OptionName, string>> = {}
  const problems: AnswerProblem[] = [...input.problems]
  const known: Known = { facts, machine, answers: values as Partial<Answers> }
  let manifest: Manifest | undefined

  for (const option of SETUP_OPTIONS) {
    const { name } = option
    const set = (value: unknown, source: AnswerSource, reason?: string): void => {
      values[name] = value
      sources[name] = source
      if (reason !== undefined) reasons[name] = reason
    }
    const found = findGiven(given, name)
    if (found) {
      const parsed = option.type.parse(found.text, { directory: found.directory, home: facts.account.home })
      if (parsed) set(parsed.value, found.source)
      else problems.push(wrongValue(option, found))
    } else {
      const last = readLast(option, manifest, values)
      const preset = last ? undefined : await option.default(known)
      if (last) set(last.value, 'found', 'the last setup')
      else set(preset?.value, preset?.found === undefined ? 'default' : 'found', preset?.found)
    }
    if (name === 'prefix' && typeof values.prefix === 'string') {
      manifest = await input.readManifest(values.prefix, values.instance as string | undefined)
      adoptInstance(manifest, values, sources, reasons)
    }
  }
  const state: CheckedState = { given, values, sources, facts, machine, force: input.force, manifest }
  problems.push(...(await checkAnswers(state, problems)))
  const { tokenFile, noTls: _permission, ...answers } = values
  return {
    answers: { ...(answers as Partial<Answers>), token: undefined },
    sources: { ...(sources as Record<AnswerKey, AnswerSource>), token: sources.tokenFile ?? 'default' },
    reasons,
    tokenFile: tokenFile as string | undefined,
    manifest,
    problems,
  }
}

function wrongValue(option: SetupOption, { spelled, text }: Given): AnswerProblem {
  const message = `expected ${option.type.expected}, found ${text === '' ? 'nothing' : JSON.stringify(text)}`
  return { name: option.name, kind: 'invalid', spelled, message }
}

/** The prefix says which instance lives there. */
function adoptInstance(
  manifest: Manifest | undefined,
  values: Partial<Record<OptionName, unknown>>,
  sources: Partial<Record<OptionName, AnswerSource>>,
  reasons: Partial<Record<OptionName, string>>,
): void {
  const instance = manifest?.answers.instance
  if (typeof instance !== 'string' || values.instance !== undefined) return
  values.instance = instance
  sources.instance = 'found'
  reasons.instance = 'the last setup'
}

/** What the last setup of this prefix was answered; undefined: nothing that counts. */
function readLast(
  option: SetupOption,
  manifest: Manifest | undefined,
  values: Partial<Record<OptionName, unknown>>,
): { readonly value: unknown } | undefined {
  const last = lastAnswer(manifest, option.name)
  if (last === undefined || option.onlyThisRun) return undefined
  if (option.follows && lastAnswer(manifest, option.follows) !== values[option.follows]) return undefined
  // Written by us, but a file on the disk all the same.
  return option.type.parse(String(last), NO_BASE)
}

const NO_BASE: Base = { directory: '/', home: '/' }

function lastAnswer(manifest: Manifest | undefined, name: OptionName): unknown {
  const last = manifest?.answers[name as AnswerKey]
  return last === null ? undefined : last
}
