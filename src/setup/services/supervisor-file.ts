import { join } from 'node:path'
import { readIniValue } from '../../config/edit/ini.js'
import type { FileState } from '../files/file-state.js'
import { fingerprint } from '../files/fingerprint.js'
import { wantedSupervisorConf } from '../steps/supervisor-conf.js'
import type {
  Change,
  Conflict,
  ManagedFile,
  NodePaths,
  SetupContext,
  StepPlan,
  SupervisorFacts,
} from '../types.js'
import { planServiceFile } from './service-file.js'
import type { Pending, ProgramStatus } from './supervisor.js'

export interface ProgramFileState {
  /** Of PROGRAMS_DIRECTORY/NAME.conf. */
  readonly file: FileState
  /** Of etc/supervisor.conf, which the file is the same as at first. */
  readonly reference: FileState
  /** The directory of programs is to be made. */
  readonly isDirectoryMissing: boolean
  /** undefined: Supervisor knows no such program, or does not run. */
  readonly program: ProgramStatus | undefined
  readonly pending: Pending | undefined
}

export interface ProgramFilePlan extends StepPlan {
  readonly files: Readonly<Record<string, ManagedFile>>
  /** `autostart`, which an admin may have switched off. */
  readonly startsByItself: boolean
}

export const PROGRAM_FILE = 'the program of Supervisor'

/** The changes of the program's file, edited key by key where it is there. Pure. */
export function planProgramFile(
  step: string,
  context: SetupContext,
  supervisor: SupervisorFacts,
  state: ProgramFileState,
  earlier: readonly Change[],
): ProgramFilePlan {
  const { facts, paths, force } = context
  const path = programFile(supervisor, paths)
  const current = state.file.kind === 'file' ? state.file.text : undefined
  const isForeign =
    current !== undefined && context.manifest?.files[path] === undefined && !startsThisNode(paths, current)
  const foreign = foreignProgram(paths, supervisor, state)
  if (foreign || (isForeign && !force)) {
    const conflict = foreign ?? foreignFile(path)
    return { changes: [], conflicts: [conflict], notes: [], files: {}, startsByItself: false }
  }
  // It has its own history of what setup wrote and what was edited by hand.
  const own = { ...context, paths: { ...paths, supervisorConf: path } }
  const merged = wantedSupervisorConf(own, isForeign ? undefined : current)
  const fresh = wantedSupervisorConf(own, undefined).text
  const file = { step, path, what: PROGRAM_FILE, isRoot: facts.account.isRoot }
  const planned = planServiceFile(file, state.file, merged.text, merged.backup || isForeign)
  const changes = [...planned.changes]
  if (state.isDirectoryMissing && changes.length > 0)
    changes.unshift(programsDirectory(step, supervisor, file.isRoot))
  // Of a text without any hand edit the whole is remembered too: uninstall then knows that nothing is lost with it.
  const whole = merged.text === fresh ? { whole: fingerprint(fresh, false) } : {}
  return {
    changes,
    conflicts: [...planned.conflicts, ...merged.conflicts],
    notes: [...merged.notes, ...referenceNotes(paths, state, path, merged.text, earlier)],
    files: planned.conflicts.length > 0 ? {} : { [path]: { ...merged.managed, ...whole } },
    startsByItself: !/^(false|no|off|0)$/i.test(programOption(merged.text, paths, 'autostart') ?? ''),
  }
}

/** Supervisor runs a program of that name, and no file of ours is why. */
function foreignProgram(
  paths: NodePaths,
  { programsDirectory: directory }: SupervisorFacts,
  { file, program, pending }: ProgramFileState,
): Conflict | undefined {
  // One that has disappeared from the files is what a removal left that was killed.
  if (file.kind !== 'absent' || program === undefined || pending === 'disappeared') return undefined
  const message = `Supervisor has a program ${paths.serviceName} already, from another file than setup would write. Remove it there, or set this node up under another name: --instance NAME`
  return { path: directory, key: undefined, message, blocking: true }
}

function foreignFile(path: string): Conflict {
  const message = `${path} was there before and starts something else. It is left as it is; --force replaces it and keeps a backup, --instance NAME sets this node up beside it`
  return { path, key: undefined, message, blocking: true }
}

/** Whether the program of that text is this node's launcher. */
export function startsThisNode(paths: NodePaths, text: string): boolean {
  return programOption(text, paths, 'command')?.includes(join(paths.bin, 'pulsar')) === true
}

function programOption(text: string, paths: NodePaths, option: string): string | undefined {
  return readIniValue(text, `program:${paths.serviceName}`, option)
}

function referenceNotes(
  paths: NodePaths,
  { reference }: ProgramFileState,
  path: string,
  text: string,
  earlier: readonly Change[],
): string[] {
  const planned = earlier.find((change) => change.kind === 'file' && change.path === paths.supervisorConf)
  const onDisk = reference.kind === 'file' ? reference.text : undefined
  const final = planned?.kind === 'file' ? planned.after : onDisk
  if (final === undefined || final === text) return []
  return [
    `${paths.supervisorConf} and ${path} differ: Supervisor reads the second, which is not copied from the first`,
  ]
}

function programsDirectory(
  step: string,
  { programsDirectory: path }: SupervisorFacts,
  isRoot: boolean,
): Change {
  const owner = isRoot ? { user: 'root', group: 'root' } : undefined
  return {
    kind: 'directory',
    step,
    title: `create ${path}`,
    counts: 'directory',
    path,
    mode: 0o755,
    owner,
  }
}

export function programFile(supervisor: SupervisorFacts, { serviceName }: NodePaths): string {
  return join(supervisor.programsDirectory, `${serviceName}${supervisor.extension}`)
}
