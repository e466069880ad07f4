import { type Draft, draftAnswers, type ResolveInput } from '../../setup/answers/answers.js'
import { findGiven, type Given } from '../../setup/answers/given.js'
import type { OptionName } from '../../setup/answers/option.js'

/** What the wizard has been told so far, and what follows from it. */
export interface Session {
  readonly input: ResolveInput
  readonly signal: AbortSignal
  /** Relative paths in answers are taken from here. */
  readonly directory: string
  /** All answers as they are now; what was not asked yet is what would be taken by itself. */
  readonly draft: Draft
  /** Answers that are no options: what decides which questions come next. */
  readonly picks: Map<string, string>
  /** By a flag, a variable or the answers file: it is not asked then. */
  isGiven(name: OptionName): boolean
  /** What was answered here. */
  answerOf(name: OptionName): string | undefined
  /** undefined takes an answer back. */
  set(name: OptionName, text: string | undefined): void
  /** Works the draft out anew. */
  refresh(): Promise<void>
  /** What would be wrong with this answer; undefined: nothing. */
  check(name: OptionName, text: string): Promise<string | undefined>
  /** A line between the questions. */
  say(text: string): void
}

/** `input.given.wizard` is replaced by what is answered here. */
export async function openSession(
  input: ResolveInput,
  options: {
    readonly signal: AbortSignal
    readonly directory: string
    readonly say: (text: string) => void
  },
): Promise<Session> {
  const answered = new Map<OptionName, Given>()
  const own: ResolveInput = { ...input, given: { ...input.given, wizard: answered } }
  const givenBefore = { ...input.given, wizard: new Map() }
  let draft = await draftAnswers(own)
  const asGiven = (text: string): Given => ({ text, spelled: 'your answer', directory: options.directory })
  return {
    input: own,
    signal: options.signal,
    directory: options.directory,
    get draft() {
      return draft
    },
    picks: new Map(),
    isGiven: (name) => findGiven(givenBefore, name) !== undefined,
    answerOf: (name) => answered.get(name)?.text,
    set(name, text) {
      if (text === undefined) answered.delete(name)
      else answered.set(name, asGiven(text))
    },
    async refresh() {
      draft = await draftAnswers(own)
    },
    async check(name, text) {
      const wizard = new Map(answered).set(name, asGiven(text))
      const trial = await draftAnswers({ ...own, given: { ...own.given, wizard } })
      return trial.problems.find((problem) => problem.name === name)?.message
    },
    say: options.say,
  }
}
