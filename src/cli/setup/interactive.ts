import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { errnoOf, messageOf } from '../../lib/errors.js'
import { quoteForShell } from '../../lib/shell.js'
import { AnswersError, type ResolveInput } from '../../setup/answers/answers.js'
import { renderAnswersFile } from '../../setup/answers/answers-file.js'
import { findGiven } from '../../setup/answers/given.js'
import { summarizePlan } from '../../setup/diff.js'
import type { PreparedSetup } from '../../setup/run.js'
import { askInput } from '../prompts/input.js'
import { askMenu, type MenuItem } from '../prompts/menu.js'
import { ask } from '../prompts/outcome.js'
import type { Output } from './output.js'
import { programName } from './repeat.js'
import { openSession } from './session.js'
import { showDiff, showRemarks } from './show-plan.js'
import { type Answered, runWizard } from './wizard.js'

type Choice = 'diff' | 'apply' | 'save' | 'quit' | 'back'

const MENU: readonly MenuItem<Choice>[] = [
  { key: 'd', value: 'diff', name: 'diff', why: 'every change, and the lines of each file' },
  { key: 'a', value: 'apply', name: 'apply', why: 'do it; what fails is undone' },
  {
    key: 's',
    value: 'save',
    name: 'save as answers',
    why: 'a file for --answers, for other machines or for scripts',
  },
  { key: 'q', value: 'quit', name: 'quit', why: 'nothing is changed' },
  { key: 'b', value: 'back', name: 'back', why: 'to the last question' },
]

export interface Decision {
  readonly prepared: PreparedSetup
  /** With what was answered here. */
  readonly input: ResolveInput
}

/**
 * Asks, shows the plan, and lets it be looked at. Resolves with what is to be applied; undefined: it is not wanted. A plan without changes
 * is not asked about.
 * @throws PromptInterrupted; AnswersError and what planning throws
 */
export async function decide(
  input: ResolveInput,
  prepare: (input: ResolveInput) => Promise<PreparedSetup>,
  output: Output,
  signal: AbortSignal,
): Promise<Decision | undefined> {
  const directory = process.cwd()
  const session = await openSession(input, { signal, directory, say: (text) => output.say(text) })
  // What no question could mend is told before the first one.
  const early = session.draft.problems.filter(
    ({ name, kind }) =>
      kind !== 'missing' && (name === undefined || findGiven(input.given, name) !== undefined),
  )
  if (early.length > 0) throw new AnswersError(early)
  const { account } = input.facts
  if (!account.isRoot) output.say(`Not root: the node will run as ${account.user}, and no service is set up.`)
  let answered: Answered = []
  for (;;) {
    answered = await runWizard(session, answered)
    const prepared = await prepare(session.input)
    showRemarks(prepared.plan, output)
    if (prepared.plan.changes.length === 0) return { prepared, input: session.input }
    const choice = await choose(prepared, output, signal)
    if (choice === 'apply') return { prepared, input: session.input }
    if (choice === 'quit') return undefined
  }
}

async function choose(prepared: PreparedSetup, output: Output, signal: AbortSignal): Promise<Choice> {
  for (;;) {
    const message = `Plan: ${summarizePlan(prepared.plan)}`
    // What cannot be applied is not offered; the way back to the questions is.
    const isBlocked = prepared.plan.conflicts.some(({ blocking }) => blocking)
    const items = isBlocked ? MENU.filter(({ value }) => value !== 'apply') : MENU
    const outcome = await ask(askMenu({ message, items }, { signal }))
    const choice = outcome.kind === 'answer' ? (outcome.value as Choice) : 'back'
    if (choice === 'diff') showDiff(prepared.plan, output)
    else if (choice === 'save') await save(prepared, output, signal)
    else return choice
  }
}

async function save({ resolved }: PreparedSetup, output: Output, signal: AbortSignal): Promise<void> {
  const outcome = await ask(
    askInput(
      {
        message: 'Save to which file?',
        default: 'node.yml',
        source: 'in this directory',
        why: 'Readable for you alone; the token is not in it.',
        canGoBack: true,
        check: async (text) => write(resolve(text), renderAnswersFile(resolved)),
      },
      { signal },
    ),
  )
  if (outcome.kind === 'back') return
  output.say('Saved. The same setup, without questions:')
  output.print(`  ${programName()} setup --answers ${quoteForShell(outcome.value)}`)
}

/** Never over a file that is there. Why it could not be written, as a sentence. */
async function write(file: string, text: string): Promise<string | undefined> {
  try {
    const handle = await open(file, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    return undefined
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return `${file} exists already; name another file.`
    return `It cannot be written: ${messageOf(error)}`
  }
}
