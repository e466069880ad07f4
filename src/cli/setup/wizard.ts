import { jobQuestions } from './questions/jobs.js'
import { networkQuestions } from './questions/network.js'
import { placeQuestions } from './questions/place.js'
import { serviceQuestions } from './questions/service.js'
import type { Session } from './session.js'

const QUESTIONS = [...placeQuestions, ...jobQuestions, ...networkQuestions, ...serviceQuestions]

/** The way back from what comes after the last question: those that were answered, in their order. */
export type Answered = number[]

/**
 * Asks what was not given otherwise. `answered` is empty at first; with what an earlier call returned it begins with the last question
 * again. @throws PromptInterrupted
 */
export async function runWizard(session: Session, answered: Answered = []): Promise<Answered> {
  const done = [...answered]
  let at = done.pop() ?? 0
  while (at < QUESTIONS.length) {
    const question = QUESTIONS[at]
    if (!question) break
    if (!question.applies(session)) {
      question.skip(session)
      at++
      continue
    }
    if ((await question.ask(session, done.length > 0)) === 'back') at = done.pop() ?? 0
    else {
      done.push(at)
      at++
    }
  }
  await session.refresh()
  return done
}
