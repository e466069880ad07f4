import path from 'node:path'
import { writeFileAtomically } from '../lib/atomic-file.js'
import { describeSlurm } from '../setup/answers/options/jobs.js'
import { decideToken } from '../setup/answers/token.js'
import { applyPlan } from '../setup/apply/apply.js'
import { lockNode } from '../setup/lock.js'
import { readManifest } from '../setup/manifest.js'
import { nodePaths } from '../setup/paths.js'
import { makePlan } from '../setup/plan.js'
import { probeAccount } from '../setup/probes/account.js'
import { probeSlurm } from '../setup/probes/slurm.js'
import { appYmlStep } from '../setup/steps/app-yml.js'
import { directoriesStep } from '../setup/steps/directories.js'
import { localEnvStep } from '../setup/steps/local-env.js'
import { serverIniStep } from '../setup/steps/server-ini.js'
import type { AnswerKey, AnswerSource, Answers, Facts, SetupContext } from '../setup/types.js'
import { packageRoot, version } from './package.js'

export interface TryNode {
  readonly configDirectory: string
  readonly logFile: string
  readonly token: string
  /** The token alone, for people's commands. */
  readonly tokenFile: string
  readonly manager: Answers['manager']
  /** Why this manager. */
  readonly why: string
  /** What is not as setup would have it, each a sentence. */
  readonly conflicts: readonly string[]
}

/** In server.ini; where it is taken, the server is told another. */
export const USUAL_PORT = 8913

/** Of the steps of setup those that a node in a clone has: it runs from the clone, with the Node that runs this. */
const STEPS = [directoriesStep, appYmlStep, serverIniStep, localEnvStep]

/**
 * A private node below `directory`, by the steps of `magnetar setup`, without root and without anything outside of it. What is there from
 * an earlier run is kept, hand edits too, except that the manager follows what the machine has now.
 */
export async function setUpTryNode(directory: string, signal: AbortSignal): Promise<TryNode> {
  const release = await lockNode(directory, signal)
  try {
    const paths = nodePaths(directory, undefined)
    const [account, slurm, manifest, { token }] = await Promise.all([
      probeAccount(signal),
      probeSlurm(signal),
      readManifest(paths),
      decideToken(undefined, paths, signal),
    ])
    const facts: Facts = { ...NOTHING_ELSE, account: { ...account, isRoot: false }, slurm }
    const answers: Answers = {
      ...DEFAULTS,
      prefix: directory,
      user: account.user,
      group: account.group,
      home: account.home,
      manager: slurm.found ? 'slurm' : 'local',
    }
    const context: SetupContext = {
      answers,
      sources: allFound(answers),
      facts,
      paths,
      manifest,
      token,
      force: false,
      source: { root: packageRoot(), version: version() },
      signal,
    }
    const plan = await makePlan(context, STEPS)
    const files = { manifestFile: paths.manifest }
    await applyPlan(plan, { prefix: directory, ...files, keep: false, signal })
    const tokenFile = path.join(paths.etc, 'token')
    await writeFileAtomically(tokenFile, `${token}\n`, { mode: 0o600, signal })
    return {
      configDirectory: paths.etc,
      logFile: paths.serverLog,
      token,
      tokenFile,
      manager: answers.manager,
      why: slurm.found ? describeSlurm(slurm) : slurm.why,
      conflicts: plan.conflicts.map(({ message }) => message),
    }
  } finally {
    await release()
  }
}

const DEFAULTS = {
  instance: undefined,
  uid: undefined,
  gid: undefined,
  shell: '/bin/sh',
  separatePrivileges: false,
  partition: undefined,
  nativeSpecification: undefined,
  concurrentJobs: '*',
  drmaaLibrary: undefined,
  host: 'localhost',
  port: USUAL_PORT,
  token: undefined,
  tlsCert: undefined,
  tlsKey: undefined,
  dependencies: 'none',
  service: 'none',
  start: false,
  verify: false,
  node: process.execPath,
  runtimeTarball: undefined,
} as const satisfies Partial<Answers>

/** The steps above ask for nothing of this. */
const NOTHING_ELSE = {
  os: { name: '', arch: process.arch },
  supervisor: undefined,
  systemd: undefined,
  modules: false,
  node: { path: process.execPath, version: process.versions.node },
  cpus: 1,
} as const

/** Nobody asked for any of it: whatever was edited by hand stays. */
function allFound(answers: Answers): Record<AnswerKey, AnswerSource> {
  return Object.fromEntries(Object.keys(answers).map((key) => [key, 'found'])) as Record<
    AnswerKey,
    AnswerSource
  >
}
