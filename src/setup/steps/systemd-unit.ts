import { readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { defineStep } from '../define-step.js'
import { type FileState, readFileState } from '../files/file-state.js'
import { fingerprint } from '../files/fingerprint.js'
import { mergeWhole } from '../files/managed-file.js'
import { isThere } from '../release/present.js'
import { serviceStatusOf } from '../services/control-systemd.js'
import { planServiceFile, planServiceFileRemoval } from '../services/service-file.js'
import { findUnread, type Unread } from '../services/stale-server.js'
import { type UnitStatus, unitOf, unitStatus } from '../services/systemd.js'
import { planUnitCommands } from '../services/systemd-commands.js'
import { inspectUnitNeeds, type UnitNeeds, variantFor } from '../services/systemd-unit-needs.js'
import { readUnitTemplates, renderUnit, type UnitTemplates } from '../services/systemd-unit-text.js'
import type { Change, Conflict, Managed, NodePaths, RemoveContext, SetupContext, StepPlan } from '../types.js'

const STEP = 'systemd-unit'
const WHAT = 'the systemd unit'
const UNITS = '/etc/systemd/system'
/** systemd gives a start 90 s of its own. */
const TIMEOUT_MS = 100_000

export interface SystemdUnitState {
  readonly file: FileState
  /** The target of the link that has it started at boot; null: something else is there, undefined: nothing. */
  readonly link: string | null | undefined
  readonly isWantsThere: boolean
  readonly templates: UnitTemplates
  readonly needs: UnitNeeds
  /** undefined: systemd does not run here. */
  readonly unit: UnitStatus | undefined
  readonly unread: Unread
}

/** The node as a unit of the system's systemd. */
export const systemdUnitStep = defineStep<SystemdUnitState | undefined>({
  id: STEP,
  title: 'systemd unit',
  inspect: async (context) => (context.answers.service === 'systemd' ? inspectUnit(context) : undefined),
  plan: (context, state, earlier) => (state ? planUnit(context, state, earlier) : {}),
  remove: (context) => removeUnit(context, startsThisNode),
})

async function inspectUnit(context: SetupContext): Promise<SystemdUnitState> {
  const { facts, paths, source, signal } = context
  const { unit, link } = unitPaths(paths)
  const [file, target, isWantsThere, templates, needs, status] = await Promise.all([
    readFileState(unit, signal),
    readLink(link),
    isThere(dirname(link)),
    readUnitTemplates(source.root, signal),
    inspectUnitNeeds(paths, signal),
    facts.systemd?.running ? unitStatus(paths.serviceName, signal) : undefined,
  ])
  const unread = await findUnread(paths, status?.pid, signal)
  return { file, link: target, isWantsThere, templates, needs, unit: status, unread }
}

/** Pure. */
export function planUnit(
  context: SetupContext,
  state: SystemdUnitState,
  earlier: readonly Change[],
): Partial<StepPlan> & Managed {
  const { answers, facts, paths, manifest, force } = context
  const { unit: path, link } = unitPaths(paths)
  const refusal = refuse(context)
  if (refusal) return { conflicts: [refusal] }
  const text = renderUnit(state.templates, {
    paths,
    user: answers.user,
    group: answers.group,
    port: answers.port,
    systemdVersion: facts.systemd?.version ?? '',
    usesSlurm: answers.manager === 'slurm',
    variant: variantFor(context, state.needs, earlier),
    writable: state.needs.writable,
  })
  const current = state.file.kind === 'file' ? state.file.text : undefined
  const written = manifest?.files[path]
  const merge = mergeWhole({ path, current, wanted: text, explicit: true, written, force })
  const file = { step: STEP, path, what: WHAT, isRoot: true }
  const final = merge.action === 'write' ? text : (current ?? text)
  const planned = planServiceFile(file, state.file, final, merge.backup)
  const isForeign = current !== undefined && !startsThisNode(paths, current)
  const refused = merge.conflicts.map((each) => (isForeign ? { ...each, blocking: true as const } : each))
  const conflicts = [...planned.conflicts, ...refused]
  // A unit that is not this node's is neither enabled nor started.
  if (conflicts.length > 0)
    return { conflicts, notes: merge.notes, files: written ? { [path]: written } : {} }
  const enable = planLink(context, state, path)
  const commands = planUnitCommands(STEP, context, {
    ...state,
    unread: state.unread.file,
    isWritten: planned.changes.length > 0,
    isLinked: enable.changes.length > 0,
    earlier,
  })
  return {
    changes: [...planned.changes, ...enable.changes, ...commands.changes],
    conflicts: enable.conflicts,
    notes: [...merge.notes, ...enable.notes, ...commands.notes, ...state.unread.notes],
    files: {
      [path]: merge.managed,
      ...(enable.conflicts.length === 0 ? { [link]: { whole: fingerprint(path, false) } } : {}),
    },
  }
}

function refuse({ facts, paths }: SetupContext): Conflict | undefined {
  const { unit } = unitPaths(paths)
  const refusal = (message: string): Conflict => ({ path: unit, key: undefined, message, blocking: true })
  if (!facts.systemd) return refusal('there is no systemd here. Choose --supervisor or --no-service')
  if (facts.account.isRoot) return undefined
  return refusal(
    'only root can add a unit to the system. Run setup as root, or with --no-service and start the node by other means, such as a unit of your own (systemctl --user edit --force --full pulsar)',
  )
}

/** What `systemctl enable` would do: a link that says that the system wants the unit. */
function planLink(
  { paths, manifest, force }: SetupContext,
  { link: target, isWantsThere }: SystemdUnitState,
  unit: string,
): StepPlan {
  const { link: path } = unitPaths(paths)
  const nothing = { changes: [], conflicts: [], notes: [] }
  if (target === unit) return nothing
  if (target === null) {
    const message = `${path} is not a link to the unit. Move it away, and run setup again`
    return { ...nothing, conflicts: [{ path, key: undefined, message }] }
  }
  if (target === undefined && manifest?.files[path] !== undefined && !force)
    return {
      ...nothing,
      notes: [`kept: ${paths.serviceName} was disabled by hand and does not start at boot`],
    }
  const changes: Change[] = []
  const wants = dirname(path)
  const common = { step: STEP, owner: { user: 'root', group: 'root' } } as const
  if (!isWantsThere)
    changes.push({
      ...common,
      kind: 'directory',
      title: `create ${wants}`,
      counts: 'service',
      path: wants,
      mode: 0o755,
    })
  const title = `have systemd start ${paths.serviceName} at boot`
  changes.push({ ...common, kind: 'link', title, counts: 'service', path, target: unit })
  return { ...nothing, changes }
}

/** Stops the unit, and removes it; `isOurs` as for the program of Supervisor. */
export async function removeUnit(
  { paths, manifest, facts, signal }: Omit<RemoveContext, 'purge'>,
  isOurs: (paths: NodePaths, text: string) => boolean,
): Promise<readonly Change[]> {
  const { unit: path, link } = unitPaths(paths)
  const starts = (text: string): boolean => isOurs(paths, text)
  const file = { step: STEP, path, what: WHAT, isRoot: true }
  const removal = await planServiceFileRemoval(file, { manifest, starts, signal })
  if (!removal) return []
  const name = paths.serviceName
  const changes: Change[] = []
  const command = { kind: 'command', step: STEP, timeoutMs: TIMEOUT_MS, touches: [] } as const
  const status = facts.systemd?.running ? await unitStatus(name, signal) : undefined
  if (status && serviceStatusOf(status) !== 'stopped' && serviceStatusOf(status) !== 'unknown') {
    const [argv, undo] = ['stop', 'start'].map((action) => ['systemctl', action, unitOf(name)])
    changes.push({ ...command, title: `stop ${name}`, counts: 'service', argv: argv ?? [], undo })
  }
  if ((await readLink(link)) === path)
    changes.push({
      kind: 'remove',
      step: STEP,
      title: `have systemd no longer start ${name} at boot`,
      counts: 'service',
      path: link,
    })
  changes.push(...removal)
  const reload = ['systemctl', 'daemon-reload']
  if (status && changes.length > 0) {
    const title = 'have systemd read its units'
    changes.push({ ...command, title, counts: 'service', argv: reload, undo: undefined, undoLast: reload })
  }
  return changes
}

function startsThisNode({ bin }: NodePaths, text: string): boolean {
  return /^ExecStart=(.*)$/m.exec(text)?.[1]?.includes(join(bin, 'pulsar')) === true
}

function unitPaths({ serviceName }: NodePaths): { readonly unit: string; readonly link: string } {
  const name = unitOf(serviceName)
  return { unit: join(UNITS, name), link: join(UNITS, 'multi-user.target.wants', name) }
}

/** null: it is there and no link. */
async function readLink(path: string): Promise<string | null | undefined> {
  return readlink(path).catch(async () => ((await isThere(path)) ? null : undefined))
}
