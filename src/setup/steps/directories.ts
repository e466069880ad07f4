import { dirname, join } from 'node:path'
import { type DirectoryState, readDirectoryState, whyNothingCanBeMade } from '../accounts/directory-state.js'
import { type NodeAccounts, nodeAccounts } from '../accounts/node-accounts.js'
import { formatMode, mergeAccess, ownersAreFromLastSetup, ownershipOf } from '../accounts/ownership.js'
import { directoriesToRemove } from '../accounts/remove-directories.js'
import { defineStep } from '../define-step.js'
import type { Conflict, DirectoryChange, Owner, SetupContext, StepPlan } from '../types.js'

interface WantedDirectory {
  readonly path: string
  readonly mode: number
  readonly owner: Owner | undefined
  /** What the server needs of it: read 4, write 2, search 1. */
  readonly needs: number
  /** Above the prefix: not ours, only made where it is missing. */
  readonly isParent: boolean
}

interface State {
  readonly accounts: NodeAccounts
  /** About the last directory on the way to the prefix that is there. */
  readonly unusable: string | undefined
  readonly directories: readonly (WantedDirectory & { readonly state: DirectoryState })[]
}

const STEP = 'directories'
const USE = 5
const WRITE = 7

/** The prefix and what is in it before any file is. */
export const directoriesStep = defineStep<State>({
  id: STEP,
  title: 'directories',
  async inspect(context) {
    const wanted = [...parentsOf(context.paths.prefix), ...wantedDirectories(context)]
    const [accounts, ...states] = await Promise.all([
      nodeAccounts(context),
      ...wanted.map(({ path }) => readDirectoryState(path)),
    ])
    const directories = wanted.map((each, at) => ({
      ...each,
      state: states[at] ?? { kind: 'absent' as const },
    }))
    const last = directories.findLast(({ state }) => state.kind === 'directory')
    const missing = directories.some(
      ({ path, state }) => path === context.paths.prefix && state.kind === 'absent',
    )
    const unusable = missing && last ? await whyNothingCanBeMade(last.path) : undefined
    return { accounts, unusable, directories }
  },
  plan(context, { accounts, unusable, directories }) {
    if (unusable !== undefined) {
      const message = `${context.paths.prefix} cannot be made: ${unusable}. Name another --prefix`
      return { conflicts: [{ path: context.paths.prefix, key: 'prefix', message, blocking: true }] }
    }
    const plans = directories.map(({ state, ...wanted }) => planDirectory(context, accounts, wanted, state))
    return {
      changes: plans.flatMap(({ changes }) => changes),
      conflicts: plans.flatMap(({ conflicts }) => conflicts),
      notes: [...plans.flatMap(({ notes }) => notes), ...otherUserNotes(context)],
    }
  },
  remove: async ({ paths, purge }) => directoriesToRemove(STEP, paths, purge),
})

/** What jobs and the server have written cannot be given away by the way: it may be a lot, and jobs may run. */
function otherUserNotes({ answers, facts, manifest, paths }: SetupContext): string[] {
  const last = manifest?.answers.user
  if (!facts.account.isRoot || last === undefined || last === answers.user) return []
  return [
    `the node was ${last}'s, and what is in ${paths.var} still is. With the node stopped: chown -R ${answers.user}:${answers.group} ${paths.var}`,
  ]
}

/** Parents first. As the exercise leaves them; without root the prefix is closed, as a home is, and with it all below. */
function wantedDirectories({ answers, facts, paths }: SetupContext): WantedDirectory[] {
  const { code, config, data } = ownershipOf(answers, facts.account)
  const make = (path: string, owner: Owner | undefined, needs: number, mode = 0o755): WantedDirectory => ({
    path,
    mode,
    owner,
    needs,
    isParent: false,
  })
  return [
    make(paths.prefix, code, USE, facts.account.isRoot ? 0o755 : 0o700),
    make(paths.bin, code, USE),
    make(paths.lib, code, USE),
    make(paths.releases, code, USE),
    make(paths.runtimes, code, USE),
    make(paths.etc, config, USE),
    // pulsar-config makes it; nothing uses it as long as tool_dependency_dir leads elsewhere.
    make(join(paths.etc, 'dependencies'), config, USE),
    make(paths.var, data, WRITE),
    make(paths.jobs, data, WRITE),
    make(paths.active, data, WRITE),
    make(paths.deps, data, WRITE),
    make(paths.log, data, WRITE),
  ]
}

function parentsOf(prefix: string): WantedDirectory[] {
  const parents: WantedDirectory[] = []
  for (let path = dirname(prefix); path !== dirname(path); path = dirname(path))
    parents.unshift({ path, mode: 0o755, owner: undefined, needs: USE, isParent: true })
  return parents
}

function planDirectory(
  context: SetupContext,
  accounts: NodeAccounts,
  wanted: WantedDirectory,
  state: DirectoryState,
): StepPlan {
  const { path, isParent } = wanted
  const nothing = { changes: [], conflicts: [], notes: [] }
  const conflict = (message: string): StepPlan => {
    const conflicts: Conflict[] = [{ path, key: undefined, message, blocking: true }]
    return { ...nothing, conflicts }
  }
  if (state.kind === 'absent') return { ...nothing, changes: [change(wanted, 'create')] }
  if (state.kind === 'other')
    return conflict(`${path} ${state.why}. Setup needs a directory of that name: move it away`)
  if (isParent) return nothing
  if (state.link)
    return {
      ...nothing,
      notes: [`kept: ${path} is a symbolic link to a directory; its mode and owner are left`],
    }
  const { answers, facts, manifest } = context
  const merged = mergeAccess(state, {
    mode: wanted.mode,
    ids: accounts.idsOf(wanted.owner),
    mayChangeOwner: wanted.owner !== undefined,
    server: accounts.server,
    needs: wanted.needs,
    secret: false,
    ownerIsByHand: ownersAreFromLastSetup(answers, manifest),
  })
  const kept = merged.mode === wanted.mode ? [] : [keptMode(path, merged.mode, wanted.mode)]
  if (!merged.changeOwner && merged.mode === state.mode) return { ...nothing, notes: kept }
  if (!facts.account.isRoot && state.uid !== facts.account.uid)
    return conflict(
      `${path} belongs to another user, and the node could not work in it. Choose another prefix, or run setup as root`,
    )
  const owner = merged.changeOwner ? wanted.owner : undefined
  return { ...nothing, changes: [{ ...change(wanted, 'correct'), mode: merged.mode, owner }], notes: kept }
}

function change({ path, mode, owner }: WantedDirectory, verb: 'create' | 'correct'): DirectoryChange {
  const title = verb === 'create' ? `create ${path}` : `correct mode and owner of ${path}`
  return { kind: 'directory', step: STEP, title, counts: 'directory', path, mode, owner }
}

function keptMode(path: string, mode: number, wanted: number): string {
  return `kept: ${path} has mode ${formatMode(mode)} (setup would give it ${formatMode(wanted)})`
}
