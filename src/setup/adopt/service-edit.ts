import { readdir, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { editIni, readIniValue } from '../../config/edit/ini.js'
import { MagnetarError } from '../../lib/errors.js'
import { readFileState } from '../files/file-state.js'
import { isThere } from '../release/present.js'
import type { Change, FileChange } from '../types.js'
import type { PulsarService } from './find-service.js'
import { isBelow } from './python-installation.js'
import type { AdoptionRecord } from './record.js'
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
        { fix: `Give the service its old command back by hand, or restore ${prefix}/lib/adopted.json.` },
      )
    return { edit: { ...record.edit, path, after: text }, command: record.command }
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

/** What brings the file of the service to the Magnetar command; nothing when it is so. */
export async function planForward({ edit }: Edit, signal: AbortSignal): Promise<Change[]> {
  const { path, after } = edit
  const current = await readFileState(path, signal)
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
 * What gives the file of the service back. What was edited in it since stays: only the command is put back then.
 * @throws MagnetarError SETUP_CONFLICT when the file is gone or cannot be read
 */
export async function planBack(record: AdoptionRecord, signal: AbortSignal): Promise<Change[]> {
  const { edit, command, service } = record
  const { path, before, after } = edit
  if (service.kind === 'systemd') {
    if (!(await isThere(path))) return []
    const directory = dirname(path)
    const isAlone = (await readdir(directory)).length === 1
    const gone = isAlone ? directory : path
    return [{ kind: 'remove', step: 'adopt', title: `remove ${path}`, counts: 'file', path: gone }]
  }
  const text = await readText(path, signal)
  const section = `program:${service.name}`
  if (before === undefined || text === before) return []
  if (text !== after && readIniValue(text, section, 'command', path) !== command.after) return []
  const restored =
    text === after ? before : editIni(text, [{ section, key: 'command', value: command.before }], path)
  const { mode } = (await readFileState(path, signal)) as { readonly mode?: number }
  return [fileChange(path, mode ?? 0o644, text, restored, 'have the service run the Python Pulsar')]
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
