import type { PreparedSetup } from '../../setup/run.js'
import type { Answers, Facts, Step } from '../../setup/types.js'
import { type Stage, VERIFYING, WAITING } from './progress.js'

/** Steps that have no part in every node. */
const APPLIES: Readonly<Record<string, (answers: Answers, facts: Facts) => boolean>> = {
  user: (_answers, { account }) => account.isRoot,
  resolvers: ({ dependencies }) => dependencies !== 'none',
  'tls-pem': ({ tlsCert }) => tlsCert !== undefined,
  'supervisor-program': ({ service }) => service === 'supervisor',
  'supervisor-conf': ({ service }) => service === 'supervisor',
  'systemd-unit': ({ service }) => service === 'systemd',
  'former-service': () => false,
}

/** What is shown of a run: the steps that this node has, and what follows them. */
export function stagesOf({ plan, context }: PreparedSetup, steps: readonly Step[]): Stage[] {
  const { answers, facts } = context
  const known = steps.map(({ id, title }) => ({
    id,
    title,
    changes: plan.changes.filter(({ step }) => step === id).length,
  }))
  // What a killed run has left is tidied up by no step.
  const others = [...new Set(plan.changes.map(({ step }) => step))].filter(
    (id) => !steps.some((step) => step.id === id),
  )
  const stages: Stage[] = [
    ...others.map((id) => ({ id, title: 'what an earlier run has left', changes: 1 })),
    ...known.filter(({ id, changes }) => changes > 0 || (APPLIES[id]?.(answers, facts) ?? true)),
  ]
  if (answers.start && answers.service !== 'none')
    stages.push({ id: WAITING, title: 'the node answers', changes: undefined })
  if (answers.start && answers.verify)
    stages.push({ id: VERIFYING, title: 'a job runs through it', changes: undefined })
  return stages
}
