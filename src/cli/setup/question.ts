import { MagnetarError } from '../../lib/errors.js'
import type { OptionName } from '../../setup/answers/option.js'
import { setupOption } from '../../setup/answers/options/index.js'
import { askInput } from '../prompts/input.js'
import { ask } from '../prompts/outcome.js'
import { askSelect, type Choice } from '../prompts/select.js'
import type { Session } from './session.js'

/** One thing that the wizard may ask. */
export interface Question {
  /** Whether it is asked, after what was answered so far. */
  applies(session: Session): boolean
  ask(session: Session, canGoBack: boolean): Promise<'answered' | 'back'>
  /** It does not apply (any more): takes back what it had set. */
  skip(session: Session): void
}

export interface Preset {
  readonly text: string
  /** Where it is from: "the last setup". */
  readonly source: string
}

interface ForOption {
  readonly name: OptionName
  readonly message: string
  readonly applies?: (session: Session) => boolean
  /** Said after the answer. */
  readonly after?: (session: Session) => string | undefined
}

/** A question for a text; `preset` where the default of the option is not what is proposed. */
export function inputFor(
  question: ForOption & {
    readonly preset?: (session: Session) => Promise<Preset | undefined>
    readonly source?: (session: Session) => Promise<string | undefined>
    /** What else would be wrong with an answer; errors for people are told like that. */
    readonly check?: (session: Session, text: string) => Promise<void>
  },
): Question {
  const { name, message } = question
  return {
    ...common(question),
    async ask(session, canGoBack) {
      const before = session.answerOf(name)
      const own = presetOfOption(session, name)
      const proposed = await question.preset?.(session)
      const preset =
        before === undefined
          ? (proposed ?? (own && { ...own, source: (await question.source?.(session)) ?? own.source }))
          : { text: before, source: 'your answer' }
      const outcome = await ask(
        askInput(
          {
            message,
            default: preset?.text,
            source: preset?.source ?? '',
            why: setupOption(name).why,
            canGoBack,
            check: async (text) =>
              (await session.check(name, text)) ?? (await tell(() => question.check?.(session, text))),
          },
          { signal: session.signal },
        ),
      )
      if (outcome.kind === 'back') return 'back'
      // A default that is taken stays a default: hand edits on the disk go before it.
      const unchanged = outcome.taken && before === undefined && proposed === undefined
      session.set(name, unchanged ? undefined : outcome.value)
      await finish(question, session)
      return 'answered'
    },
  }
}

/** A question for one of the values of an option. */
export function selectFor(
  question: ForOption & { readonly choices: (session: Session) => readonly Choice[] },
): Question {
  const { name, message } = question
  return {
    ...common(question),
    async ask(session, canGoBack) {
      const before = session.answerOf(name)
      const preset = before ?? presetOfOption(session, name)?.text ?? ''
      const { why } = setupOption(name)
      const choices = question.choices(session)
      const outcome = await ask(
        askSelect({ message, choices, default: preset, why, canGoBack }, { signal: session.signal }),
      )
      if (outcome.kind === 'back') return 'back'
      const unchanged = outcome.value === preset && before === undefined
      session.set(name, unchanged ? undefined : outcome.value)
      await finish(question, session)
      return 'answered'
    },
  }
}

/** A question whose answer is no option; `onPick` says what follows from it. */
export function pick(question: {
  readonly id: string
  readonly message: string
  readonly why: string
  readonly applies: (session: Session) => boolean
  readonly choices: (session: Session) => readonly Choice[]
  readonly preset: (session: Session) => string
  readonly onPick: (session: Session, value: string) => void
  readonly after?: (session: Session) => string | undefined
}): Question {
  const { id, message, why } = question
  return {
    applies: question.applies,
    skip: (session) => void session.picks.delete(id),
    async ask(session, canGoBack) {
      const preset = session.picks.get(id) ?? question.preset(session)
      const choices = question.choices(session)
      const outcome = await ask(
        askSelect({ message, choices, default: preset, why, canGoBack }, { signal: session.signal }),
      )
      if (outcome.kind === 'back') return 'back'
      session.picks.set(id, outcome.value)
      question.onPick(session, outcome.value)
      await finish(question, session)
      return 'answered'
    },
  }
}

function common({ name, applies }: ForOption): Pick<Question, 'applies' | 'skip'> {
  return {
    applies: (session) => !session.isGiven(name) && (applies?.(session) ?? true),
    skip: (session) => session.set(name, undefined),
  }
}

async function tell(check: () => Promise<void> | undefined): Promise<string | undefined> {
  try {
    await check()
    return undefined
  } catch (error) {
    if (!(error instanceof MagnetarError)) throw error
    return error.fix === undefined ? error.message : `${error.message}. ${error.fix}`
  }
}

async function finish(
  { after }: { readonly after?: (session: Session) => string | undefined },
  session: Session,
): Promise<void> {
  await session.refresh()
  const text = after?.(session)
  if (text !== undefined) session.say(text)
}

function presetOfOption({ draft }: Session, name: OptionName): Preset | undefined {
  const value = name === 'tokenFile' || name === 'noTls' ? undefined : draft.answers[name]
  return value === undefined
    ? undefined
    : { text: String(value), source: draft.reasons[name] ?? 'the default' }
}
