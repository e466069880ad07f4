import type { Change, Managed, RemoveContext, SetupContext, Step, StepPlan } from './types.js'

/** A step in two halves: `inspect` reads, `plan` is pure. */
export function defineStep<State>(step: {
  readonly id: string
  readonly title: string
  inspect(context: SetupContext): Promise<State>
  plan(context: SetupContext, state: State, earlier: readonly Change[]): Partial<StepPlan> & Managed
  remove?(context: RemoveContext): Promise<readonly Change[]>
}): Step {
  return {
    id: step.id,
    title: step.title,
    async plan(context, earlier) {
      const planned = step.plan(context, await step.inspect(context), earlier)
      return { changes: [], conflicts: [], notes: [], ...planned }
    },
    ...(step.remove ? { remove: step.remove } : {}),
  }
}
