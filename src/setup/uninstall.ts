import { readdir } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { MagnetarError } from '../lib/errors.js'
import { refuseAdopted } from './adopt/record.js'
import { isLeftoverName } from './apply/changes/names.js'
import { planLeftovers } from './apply/leftovers.js'
import { findExistingNode } from './probes/existing-node.js'
import { isThere } from './release/present.js'
import type { Change, Facts, Manifest, NodePaths, Plan, RemoveChange, Step } from './types.js'
import { readNodeAccess } from './verify/node-access.js'
import { findRunningJobs, type RunningJobs } from './verify/running-jobs.js'
import { askHealth } from './verify/wait-healthy.js'

export interface UninstallRequest {
  readonly paths: NodePaths
  readonly manifest: Manifest | undefined
  readonly facts: Facts
  /** Remove the configuration, the jobs and the user as well. */
  readonly purge: boolean
  /** Also while jobs run, or a server that no service runs. */
  readonly force: boolean
  readonly signal: AbortSignal
}

export interface UninstallPlan {
  /** Without changes there is nothing to do. */
  readonly plan: Plan
  /** For applyPlan: undefined with purge, which removes it. */
  readonly manifestFile: string | undefined
  readonly jobs: RunningJobs
}

const STEP = 'uninstall'
const NO_JOBS: RunningJobs = { here: 0, onSlurm: 0 }
const NOTHING: Manifest = { version: 1, answers: {}, files: {}, madeUser: false }

/**
 * What has to be done to take a node away: last things first, so that the service is stopped before what it runs goes. The configuration,
 * the jobs and the user stay without `purge`, and the manifest, which remembers what setup made, with them. The disk is only read.
 * @throws MagnetarError NODE_NOT_FOUND where somebody else's files are, SETUP_CONFLICT while jobs or a server run that would lose them
 */
export async function planUninstall(
  request: UninstallRequest,
  steps: readonly Step[],
): Promise<UninstallPlan> {
  const { paths, manifest, facts, purge, signal } = request
  await refuseAdopted(
    paths.prefix,
    (adopted) => `Give the service back first: magnetar adopt ${adopted} --undo`,
  )
  const before = manifest ?? NOTHING
  const manifestFile = purge ? undefined : paths.manifest
  if (manifest === undefined) {
    const existing = await findExistingNode(paths.prefix)
    if (existing === 'none') return { plan: planOf([], [], before), manifestFile, jobs: NO_JOBS }
    if (existing !== 'magnetar') throw notOurs(paths, existing === 'python-pulsar')
  }
  const removals: Change[] = []
  for (const step of [...steps].reverse()) {
    signal.throwIfAborted()
    removals.push(...((await step.remove?.({ paths, manifest, facts, purge, signal })) ?? []))
  }
  const jobs = await checkWhatRuns(request, removals)
  const isWanted = (change: Change): boolean =>
    (purge || !isKept(change, paths)) &&
    // userdel refuses as long as a process of the user runs.
    (change.counts !== 'user' || jobs.here === 0)
  const changes = [...(await planLeftovers(paths, Object.keys(before.files))), ...removals.filter(isWanted)]
  changes.push(...(await planEmptyDirectories(paths, changes, purge)))
  const after = { ...before, files: filesLeft(before, changes) }
  return { plan: planOf(changes, notesFor(request, jobs, changes), after), manifestFile, jobs }
}

function planOf(changes: readonly Change[], notes: readonly string[], manifest: Manifest): Plan {
  return { changes, conflicts: [], notes, manifest }
}

function notOurs({ prefix }: NodePaths, isPython: boolean): MagnetarError {
  const what = isPython ? 'a Python Pulsar, which setup did not make' : 'files that setup did not make'
  return new MagnetarError('NODE_NOT_FOUND', `${prefix} holds ${what}; nothing was touched`, {
    fix: 'Name the right node with --prefix or --instance.',
  })
}

/** Without purge the manifest stays, and so the directories above it. */
function isKept(change: Change, { lib, prefix, manifest }: NodePaths): boolean {
  return change.kind === 'remove' && [lib, prefix, manifest].includes(change.path)
}

/** @throws MagnetarError SETUP_CONFLICT */
async function checkWhatRuns(
  { paths, purge, force, signal }: UninstallRequest,
  removals: readonly Change[],
): Promise<RunningJobs> {
  const access = (await isThere(paths.appYml))
    ? await readNodeAccess(paths, signal).catch((error: unknown) => {
        // One that cannot be read serves nothing either.
        if (error instanceof MagnetarError) return undefined
        throw error
      })
    : undefined
  const isServed = access !== undefined && (await askHealth(access, signal)) === undefined
  const isManaged = removals.some(({ kind, counts }) => kind === 'command' && counts === 'service')
  if (isServed && !isManaged && !force)
    throw new MagnetarError(
      'SETUP_CONFLICT',
      `a server that no service runs serves this node at ${access.url}`,
      { fix: 'Stop it where it was started, or let it lose its program and files: --force.' },
    )
  const managers = access?.config.managers ?? []
  const staging = managers.map(({ stagingDirectory }) => stagingDirectory)
  const usesSlurm = managers.some(({ type }) => type === 'slurm' || type === 'queued_cli')
  const jobs = await findRunningJobs([...new Set([...staging, paths.jobs])], usesSlurm, signal)
  if (purge && !force && jobs.here + (jobs.onSlurm ?? 1) > 0)
    throw new MagnetarError(
      'SETUP_CONFLICT',
      `${describeJobs(jobs)}, and --purge would take ${isOne(jobs) ? 'its' : 'their'} files away`,
      {
        fix: 'Wait until they have ended or cancel them; or add --force.',
      },
    )
  return jobs
}

function isOne({ here, onSlurm }: RunningJobs): boolean {
  return here + (onSlurm ?? 0) === 1
}

/** "3 jobs have not ended, 1 here and 2 on Slurm" */
function describeJobs({ here, onSlurm }: RunningJobs): string {
  const count = here + (onSlurm ?? 0)
  const [jobs, have] = count === 1 ? ['job', 'has'] : ['jobs', 'have']
  if (onSlurm === undefined)
    return `Slurm does not say how many jobs have not ended${here === 0 ? '' : `, and ${here} run here`}`
  return `${count} ${jobs} ${have} not ended${onSlurm === 0 ? '' : here === 0 ? ', on Slurm' : `, ${here} here and ${onSlurm} on Slurm`}`
}

/** The directories of the program, once nothing is left in them; with purge also the prefix. */
async function planEmptyDirectories(
  paths: NodePaths,
  changes: readonly Change[],
  purge: boolean,
): Promise<RemoveChange[]> {
  const gone = new Set(changes.flatMap((change) => (change.kind === 'remove' ? [change.path] : [])))
  if (purge) gone.add(paths.manifest)
  const found: RemoveChange[] = []
  for (const path of [paths.bin, paths.lib, paths.prefix]) {
    const names = gone.has(path) ? undefined : await readdir(path).catch(() => undefined)
    if (!names?.every((name) => gone.has(join(path, name)) || isLeftoverName(name))) continue
    gone.add(path)
    found.push({ kind: 'remove', step: STEP, title: `remove ${path}`, counts: 'directory', path })
  }
  return found
}

function filesLeft({ files }: Manifest, changes: readonly Change[]): Manifest['files'] {
  const gone = changes.flatMap((change) => (change.kind === 'remove' ? [change.path] : []))
  const isGone = (file: string): boolean => gone.some((path) => file === path || file.startsWith(path + sep))
  return Object.fromEntries(Object.entries(files).filter(([file]) => !isGone(file)))
}

function notesFor(
  { paths, manifest, purge }: UninstallRequest,
  jobs: RunningJobs,
  changes: readonly Change[],
): string[] {
  const notes: string[] = []
  const unknown = jobs.onSlurm === undefined
  if (changes.length > 0 && (jobs.here + (jobs.onSlurm ?? 0) > 0 || unknown))
    notes.push(
      `${describeJobs(jobs)}: ${isOne(jobs) ? 'it goes' : 'they go'} on${purge ? '' : ', and the node takes up again what it finds when it is set up anew'}`,
    )
  if (purge) {
    const user = manifest?.answers.user
    if (manifest?.madeUser && jobs.here > 0)
      notes.push(`kept: the user ${user}, whose jobs run; when they have ended: userdel -r ${user}`)
    return notes
  }
  const user = manifest?.madeUser ? `, the user ${manifest.answers.user}` : ''
  notes.push(
    `kept: ${paths.etc} and ${paths.var}${user}, and ${paths.manifest}, which remembers what setup made; --purge removes them too`,
  )
  return notes
}
