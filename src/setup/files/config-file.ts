import { type NodeAccounts, nodeAccounts } from '../accounts/node-accounts.js'
import { formatMode, mergeAccess, ownersAreFromLastSetup, ownershipOf } from '../accounts/ownership.js'
import type {
  Change,
  Conflict,
  FileChange,
  Managed,
  ManagedFile,
  Owner,
  SetupContext,
  StepPlan,
} from '../types.js'
import { type FileState, readFileState } from './file-state.js'

/** A file below etc, inspected. */
export interface InspectedFile {
  readonly state: FileState
  readonly accounts: NodeAccounts
}

/** @throws MagnetarError NOT_PERMITTED when this user may not read it */
export async function inspectConfigFile(path: string, context: SetupContext): Promise<InspectedFile> {
  const [state, accounts] = await Promise.all([readFileState(path, context.signal), nodeAccounts(context)])
  return { state, accounts }
}

/** The text to merge with; undefined: there is no file. */
export function currentText({ state }: InspectedFile): string | undefined {
  return state.kind === 'file' ? state.text : undefined
}

export interface WantedFile {
  readonly step: string
  readonly path: string
  /** For titles: "the configuration of the node". */
  readonly what: string
  /** undefined: the file is to go, or not to be. */
  readonly text: string | undefined
  /** Only the server may read it. */
  readonly secret: boolean
  readonly secretKeys?: readonly string[]
  readonly backup: boolean
  readonly conflicts: readonly Conflict[]
  readonly notes: readonly string[]
  readonly managed: ManagedFile
}

/** The change that makes a file as wanted, with mode and owner; none when it is so. */
export function planConfigFile(
  context: SetupContext,
  inspected: InspectedFile,
  wanted: WantedFile,
): StepPlan & Managed {
  const { path } = wanted
  const { state } = inspected
  const { conflicts, notes } = wanted
  const empty = wanted.managed.keys === undefined && wanted.managed.whole === undefined
  const files: Readonly<Record<string, ManagedFile>> = empty ? {} : { [path]: wanted.managed }
  if (state.kind === 'unusable') {
    // Not used, so it is nobody's business what it is.
    if (wanted.text === undefined) return { changes: [], conflicts: [], notes: [] }
    const message = `${path} ${state.why}. Setup needs a file of that name: move it away`
    return { changes: [], conflicts: [{ path, key: undefined, message }], notes: [] }
  }
  if (wanted.text === undefined) return { changes: planRemoval(wanted, state), conflicts, notes, files }
  const access = planAccess(context, inspected, path, wanted.secret)
  const before = state.kind === 'file' ? state.text : undefined
  const isSame = before === wanted.text
  if (state.kind === 'file' && state.link) {
    if (isSame) return { changes: [], conflicts, notes, files }
    const message = `${path} is a symbolic link, which setup does not write through. Change the file it leads to, or put the file itself there`
    return { changes: [], conflicts: [...conflicts, { path, key: undefined, message }], notes, files: {} }
  }
  if (isSame && !access.changes) return { changes: [], conflicts, notes: [...notes, ...access.notes], files }
  const verb = before === undefined ? 'create' : isSame ? `correct mode and owner of` : 'change'
  const change: FileChange = {
    kind: 'file',
    step: wanted.step,
    title: `${verb} ${path}, ${wanted.what}`,
    counts: 'file',
    path,
    mode: access.mode,
    owner: access.owner,
    before,
    after: wanted.text,
    secretKeys: wanted.secretKeys ?? [],
    backup: wanted.backup && before !== undefined,
  }
  return { changes: [change], conflicts, notes: [...notes, ...access.notes], files }
}

function planRemoval(wanted: WantedFile, state: FileState): Change[] {
  const { step, path, what } = wanted
  if (state.kind !== 'file') return []
  return [{ kind: 'remove', step, title: `remove ${path}, ${what}`, counts: 'file', path }]
}

interface AccessPlan {
  readonly mode: number
  /** undefined: the one it has, without root whoever runs this. */
  readonly owner: Owner | undefined
  /** It has another mode or owner now. */
  readonly changes: boolean
  readonly notes: readonly string[]
}

const READ = 4

function planAccess(
  context: SetupContext,
  { state, accounts }: InspectedFile,
  path: string,
  secret: boolean,
): AccessPlan {
  const { answers, facts, manifest } = context
  const { config, secretMode } = ownershipOf(answers, facts.account)
  const wantedMode = secret ? secretMode : 0o644
  if (state.kind !== 'file') return { mode: wantedMode, owner: config, changes: true, notes: [] }
  const merged = mergeAccess(state, {
    mode: wantedMode,
    ids: accounts.idsOf(config),
    mayChangeOwner: config !== undefined && !state.link,
    server: accounts.server,
    needs: READ,
    secret,
    ownerIsByHand: ownersAreFromLastSetup(answers, manifest),
  })
  const isOther = merged.mode !== wantedMode
  const note = `kept: ${path} has mode ${formatMode(merged.mode)} (setup would give it ${formatMode(wantedMode)})`
  return {
    mode: merged.mode,
    owner: merged.changeOwner ? config : undefined,
    changes: merged.changeOwner || merged.mode !== state.mode,
    notes: isOther ? [note] : [],
  }
}
