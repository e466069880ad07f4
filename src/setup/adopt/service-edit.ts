import { readdir, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { editIni, readIniValue } from '../../config/edit/ini.js'
import { MagnetarError } from '../../lib/errors.js'
import { readFileState } from '../files/file-state.js'
import { isThere } from '../release/present.js'
import type { Change, FileChange } from '../types.js'
import { putProgramBack } from './command-back.js'
import type { PulsarService } from './find-service.js'
import { isBelow } from './python-installation.js'
import { type AdoptionRecord, recordFile } from './record.js'
import { demandReplaceable } from './replaceable.js'
import { editProgram } from './supervisor-definitions.js'
import { dropInFor } from './systemd-definitions.js'

/** What of a service is changed, and how it is put back. */
export type Edit = Pick<AdoptionRecord, 'edit' | 'command'>

/**
 * The change of the service's file; where that starts Magnetar already, the one that is on record. Nothing is written.
 * @throws MagnetarError SETUP_CONFLICT when the file cannot be changed
 */
export async function planEdit(
  service: PulsarService,
  prefix: string,
  record: AdoptionRecord | undefined,
  unitDirectory: string | undefined,
  signal: AbortSignal,
): Promise<Edit> {
  const { definition, pulsar } = service
  const bin = `${prefix}/bin`
  if (definition.kind === 'systemd') {
    const { path, after } = dropInFor(definition, pulsar, bin, unitDirectory)
    const started = /^ExecStart=(.+)$/m.exec(after)?.[1] ?? ''
    return { edit: { path, after }, command: { before: definition.command, after: started } }
  }
  const path = await realpath(definition.file)
  const text = await readText(path, signal)
  if (isBelow(pulsar.program, prefix)) {
    if (!record)
      throw new MagnetarError(
        'SETUP_CONFLICT',
        `${path} starts Magnetar already, and ${prefix} does not say what it was before`,
        {
          fix: `Give the service its old command back by hand, or restore ${recordFile(prefix, definition)}.`,
        },
      )
    // What was edited meanwhile stays, on the way back too.
    const back = restore({ ...record, edit: { ...record.edit, path } }, text)
    const command = { before: commandOf(back, record) ?? '', after: definition.command }
    return { edit: { path, before: back, after: text }, command }
  }
  const { after } = editProgram(text, definition, pulsar, bin)
  return {
    edit: { path, before: text, after },
    command: {
      before: definition.command,
      after: readIniValue(after, `program:${definition.name}`, 'command') ?? '',
    },
  }
}

/**
 * What brings the file of the service to the Magnetar command; nothing when it is so. What was edited in it since the edit was planned
 * stays: only the command is changed then.
 */
export async function planForward(
  { edit, command, service }: Edit & Pick<AdoptionRecord, 'service'>,
  signal: AbortSignal,
): Promise<Change[]> {
  const { path } = edit
  const current = await readFileState(path, signal)
  const isEdited =
    service.kind === 'supervisor' &&
    current.kind === 'file' &&
    ![edit.before, edit.after].includes(current.text)
  const after = isEdited
    ? editIni(current.text, [{ section: sectionOf(service), key: 'command', value: command.after }], path)
    : edit.after
  if (current.kind === 'file' && current.text === after) return []
  const directory = dirname(path)
  const changes: Change[] = []
  if (!(await isThere(directory)))
    changes.push({
      kind: 'directory',
      step: 'adopt',
      title: `create ${directory}`,
      counts: 'directory',
      path: directory,
      mode: 0o755,
      owner: undefined,
    })
  const before = current.kind === 'file' ? current.text : undefined
  const mode = current.kind === 'file' ? current.mode : 0o644
  return [...changes, fileChange(path, mode, before, after, 'have the service run Magnetar')]
}

/**
 * What gives the file of the service back. What was edited in it since stays: only the command is put back then, and of a command that
 * was edited too only the program.
 * @throws MagnetarError SETUP_CONFLICT when the file is gone or cannot be read, ADOPT_REFUSED with the line to be changed by hand
 */
export async function planBack(record: AdoptionRecord, signal: AbortSignal): Promise<Change[]> {
  const { edit, service } = record
  const { path } = edit
  if (service.kind === 'systemd') {
    if (!(await isThere(path))) return []
    const directory = dirname(path)
    const isAlone = (await readdir(directory)).length === 1
    const gone = isAlone ? directory : path
    return [{ kind: 'remove', step: 'adopt', title: `remove ${path}`, counts: 'file', path: gone }]
  }
  const text = await readText(path, signal)
  const restored = restore(record, text)
  if (restored === text) return []
  const { mode } = (await readFileState(path, signal)) as { readonly mode?: number }
  return [fileChange(path, mode ?? 0o644, text, restored, 'have the service run the Python Pulsar')]
}

/**
 * The same, for a service as it was found: that it would still run Magnetar is seen before it is stopped. Errors as planBack.
 */
export async function planReturn(
  { service, prefix }: { readonly service: PulsarService; readonly prefix: string },
  record: AdoptionRecord,
  signal: AbortSignal,
): Promise<Change[]> {
  const changes = await planBack(record, signal)
  const isUnseen = changes.length === 0 && isBelow(service.pulsar.program, prefix)
  if (isUnseen && record.service.kind === 'supervisor') throw byHand(record, service.definition.command)
  const [change] = changes
  if (change?.kind === 'file' || change?.kind === 'remove') await demandReplaceable(change.path)
  return changes
}

/** The edit that a return undoes, with the file as it was when the return was planned. */
export async function undoOf(
  changes: readonly Change[],
  record: AdoptionRecord,
  signal: AbortSignal,
): Promise<Edit> {
  const drop = record.edit.path
  if (record.service.kind === 'systemd' && (await isThere(drop)))
    return { edit: { path: drop, after: await readText(drop, signal) }, command: record.command }
  const change = changes.find((each) => each.kind === 'file')
  if (change?.kind !== 'file' || change.before === undefined) return record
  const { path, before: after, after: before } = change
  return {
    edit: { path, before, after },
    command: { before: commandOf(before, record) ?? '', after: commandOf(after, record) ?? '' },
  }
}

/** The text of a program's file with the Python program in its command. */
function restore(record: AdoptionRecord, text: string): string {
  const { edit, command } = record
  const { path, before, after } = edit
  if (before === undefined || text === before) return text
  if (text === after) return before
  const current = commandOf(text, record)
  if (current === undefined) throw byHand(record, 'none')
  const back = putProgramBack(current, command)
  if (back === undefined) throw byHand(record, current)
  return back === current
    ? text
    : editIni(text, [{ section: sectionOf(record.service), key: 'command', value: back }], path)
}

function byHand({ edit, command, service }: AdoptionRecord, current: string): MagnetarError {
  const message = `the command of ${service.name} in ${edit.path} was edited so that the Python program cannot be put back into it: ${current}`
  return new MagnetarError('ADOPT_REFUSED', message, {
    fix: `In [${sectionOf(service)}] of ${edit.path} write: command=${command.before}\nThen run the same command again.`,
  })
}

function sectionOf({ name }: AdoptionRecord['service']): string {
  return `program:${name}`
}

function commandOf(text: string, { service, edit }: AdoptionRecord): string | undefined {
  return readIniValue(text, sectionOf(service), 'command', edit.path)
}

function fileChange(
  path: string,
  mode: number,
  before: string | undefined,
  after: string,
  what: string,
): FileChange {
  return {
    kind: 'file',
    step: 'adopt',
    title: `${before === undefined ? 'write' : 'change'} ${path}: ${what}`,
    counts: 'service',
    path,
    mode,
    owner: undefined,
    before,
    after,
    secretKeys: [],
    backup: false,
  }
}

async function readText(path: string, signal: AbortSignal): Promise<string> {
  const state = await readFileState(path, signal)
  if (state.kind === 'file') return state.text
  const why = state.kind === 'absent' ? 'is not there' : state.why
  throw new MagnetarError('SETUP_CONFLICT', `${path}, the file of the service, ${why}`, {
    fix: 'Put it right by hand, then run the same command again.',
  })
}
