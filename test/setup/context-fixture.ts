import { applyPlan } from '../../src/setup/apply/apply.js'
import { nodePaths } from '../../src/setup/paths.js'
import { makePlan } from '../../src/setup/plan.js'
import type {
  AnswerKey,
  AnswerSource,
  Answers,
  Facts,
  Manifest,
  Plan,
  SetupContext,
  Step,
} from '../../src/setup/types.js'
import { rootFacts, userFacts } from './answer-fixtures.js'

export interface ContextCase {
  readonly prefix: string
  readonly answers?: Partial<Answers>
  /** The answers that somebody gave now; the others are defaults. */
  readonly explicit?: readonly AnswerKey[]
  readonly manifest?: Manifest | undefined
  readonly token?: string
  readonly force?: boolean
  /** As root, or as whoever runs the tests. */
  readonly root?: boolean
  readonly facts?: Partial<Facts>
}

/** An account that every Linux has. Root can give it files; without root the tests' own user takes its part. */
export const nodeUser = { user: 'daemon', group: 'daemon' } as const

/** What setup would know of a node in `prefix`: by default one of root's, on Slurm, with Conda and Supervisor. */
export function contextFor(given: ContextCase): SetupContext {
  const { prefix, root = true } = given
  const account = { ...userFacts.account, uid: process.geteuid?.() ?? 1000 }
  const facts = { ...rootFacts, ...(root ? {} : { account }), ...given.facts }
  const answers: Answers = {
    instance: undefined,
    prefix,
    ...(root ? nodeUser : { user: account.user, group: account.group }),
    uid: undefined,
    gid: undefined,
    home: '/home/pulsar',
    shell: '/bin/bash',
    separatePrivileges: false,
    manager: 'slurm',
    partition: undefined,
    nativeSpecification: undefined,
    concurrentJobs: '*',
    drmaaLibrary: undefined,
    host: 'localhost',
    port: 8913,
    token: undefined,
    tlsCert: undefined,
    tlsKey: undefined,
    dependencies: 'conda',
    service: root ? 'supervisor' : 'none',
    start: false,
    verify: false,
    node: 'download',
    runtimeTarball: undefined,
    ...given.answers,
  }
  const sources = Object.fromEntries(
    Object.keys(answers).map((key) => [
      key,
      (given.explicit ?? []).includes(key as AnswerKey) ? 'flag' : 'default',
    ]),
  ) as Record<AnswerKey, AnswerSource>
  return {
    answers,
    sources,
    facts,
    paths: nodePaths(prefix, answers.instance),
    manifest: given.manifest,
    token: given.token ?? 'foo',
    force: given.force ?? false,
    source: { root: prefix, version: '0.0.0' },
    signal: AbortSignal.timeout(60_000),
  }
}

/** Plans, applies and remembers, as a setup with these steps does. */
export async function setUp(context: SetupContext, steps: readonly Step[]): Promise<Plan> {
  const { paths, signal } = context
  const plan = await makePlan(context, steps)
  await applyPlan(plan, {
    prefix: paths.prefix,
    manifestFile: paths.manifest,
    keep: false,
    signal,
  })
  return plan
}
