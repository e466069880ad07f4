import { AbortPromptError, CancelPromptError, ExitPromptError } from '@inquirer/core'

/** What came of a question. `taken`: the default, by Enter alone. */
export type Outcome<T> =
  | { readonly kind: 'answer'; readonly value: T; readonly taken: boolean }
  | { readonly kind: 'back' }
  /** Standard input has ended (Ctrl-D). */
  | { readonly kind: 'end' }

/** Ctrl-C, Ctrl-D, or the signal of whoever asked. */
export class PromptInterrupted extends Error {
  constructor(options?: ErrorOptions) {
    super('interrupted', options)
    this.name = 'PromptInterrupted'
  }
}

export type Answered<T> = Exclude<Outcome<T>, { kind: 'end' }>

/** Waits for a prompt. @throws PromptInterrupted */
export async function ask<T>(prompt: Promise<Outcome<T>>): Promise<Answered<T>> {
  let outcome: Outcome<T>
  try {
    outcome = await prompt
  } catch (error) {
    const interrupted = [ExitPromptError, AbortPromptError, CancelPromptError]
    if (interrupted.some((kind) => error instanceof kind)) throw new PromptInterrupted({ cause: error })
    throw error
  }
  if (outcome.kind === 'end') throw new PromptInterrupted()
  return outcome
}
