import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { errnoOf, MagnetarError } from '../../lib/errors.js'
import { quoteForShell } from '../../lib/shell.js'
import { readManifestText } from '../manifest.js'
import { isThere } from '../release/present.js'
import type { Change } from '../types.js'

/**
 * What adoption keeps for the way back of a service, in PREFIX/lib/adopted: written before the service is touched. `adopting` and
 * `returning`: a run is, or was when it was killed, in the middle; the same command goes on, and the other one goes back.
 */
export interface AdoptionRecord {
  readonly version: 1
  readonly state: 'adopting' | 'adopted' | 'returning' | 'returned'
  /** As it was given to adopt, absolute. */
  readonly directory: string
  readonly service: { readonly kind: 'supervisor' | 'systemd'; readonly name: string }
  /** The file that was changed; `before` undefined: there was none. */
  readonly edit: { readonly path: string; readonly before?: string | undefined; readonly after: string }
  /** The service did not run when it was taken over: should that fail, it is to be stopped again. */
  readonly wasStopped?: boolean | undefined
  /** The command, as each has it. */
  readonly command: { readonly before: string; readonly after: string }
}

const schema = z.object({
  version: z.literal(1),
  state: z.enum(['adopting', 'adopted', 'returning', 'returned']),
  directory: z.string().startsWith('/'),
  service: z.object({ kind: z.enum(['supervisor', 'systemd']), name: z.string().min(1) }),
  edit: z.object({ path: z.string().startsWith('/'), before: z.string().optional(), after: z.string() }),
  wasStopped: z.boolean().optional(),
  command: z.object({ before: z.string(), after: z.string() }),
})

/** One for each service: several may run the same program. */
export function recordFile(prefix: string, { kind, name }: AdoptionRecord['service']): string {
  return join(recordDirectory(prefix), `${encodeURIComponent(name)}.${kind}.json`)
}

function recordDirectory(prefix: string): string {
  return join(prefix, 'lib', 'adopted')
}

/**
 * Of all services that were ever adopted with this prefix, in the order of their names. Root believes only what root wrote.
 * @throws MagnetarError SETUP_CONFLICT when one is damaged, NOT_PERMITTED when one cannot be read
 */
export async function readRecords(prefix: string): Promise<AdoptionRecord[]> {
  const directory = recordDirectory(prefix)
  const names = await readdir(directory).catch((error: unknown) => {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return []
    if (errno !== 'EACCES') throw error
    throw new MagnetarError('NOT_PERMITTED', `${directory} cannot be read`, { cause: error })
  })
  const files = names.filter((name) => /\.(supervisor|systemd)\.json$/.test(name)).sort()
  const records = await Promise.all(files.map((name) => readRecord(join(directory, name))))
  return records.flatMap((record) => record ?? [])
}

/** Whether the service has, or may have, the command of Magnetar. */
export function isLive({ state }: AdoptionRecord): boolean {
  return state !== 'returned'
}

async function readRecord(file: string): Promise<AdoptionRecord | undefined> {
  const text = await readManifestText(file)
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text)) as AdoptionRecord
  } catch (cause) {
    throw new MagnetarError('SETUP_CONFLICT', `${file} is damaged; it tells what the service ran before`, {
      fix: 'Restore it from a backup. Without it the way back is by hand: the old command into the file of the service.',
      cause,
    })
  }
}

/** Only for the owner: a file of a service may hold secrets. */
export async function planRecord(
  prefix: string,
  before: AdoptionRecord | undefined,
  after: AdoptionRecord,
): Promise<Change[]> {
  const path = recordDirectory(prefix)
  const directory: Change = {
    ...{ kind: 'directory', step: 'adopt', title: `create ${path}`, counts: 'directory', path },
    ...{ mode: 0o755, owner: undefined },
  }
  return [...((await isThere(path)) ? [] : [directory]), recordChange(prefix, before, after)]
}

function recordChange(prefix: string, before: AdoptionRecord | undefined, after: AdoptionRecord): Change {
  return {
    kind: 'file',
    step: 'adopt',
    title: 'remember what the service runs now, for --undo',
    counts: 'other',
    path: recordFile(prefix, after.service),
    mode: 0o600,
    owner: undefined,
    before: before && renderRecord(before),
    after: renderRecord(after),
    secretKeys: [],
    backup: false,
  }
}

function renderRecord(record: AdoptionRecord): string {
  const { version, state, directory, service, edit, wasStopped, command } = record
  const { path, before, after } = edit
  const { kind, name } = service
  // The same text for the same record, whatever order it was put together in.
  const ordered = {
    ...{ version, state, directory },
    service: { kind, name },
    edit: { path, before, after },
    wasStopped,
    command: { before: command.before, after: command.after },
  }
  return `${JSON.stringify(ordered, undefined, 2)}\n`
}

/**
 * Refuses what would take the program away from under a service that was given it. `directory`: a prefix, or of a Python Pulsar.
 * @param fix what to do instead, from the directory that adopt was given
 * @throws MagnetarError SETUP_CONFLICT; as readRecord
 */
export async function refuseAdopted(directory: string, fix: (adopted: string) => string): Promise<void> {
  for (const prefix of [directory, join(directory, 'magnetar')]) {
    const record = (await readRecords(prefix)).find(isLive)
    if (record === undefined) continue
    const message = `the service ${record.service.name} of the Python Pulsar in ${record.directory} runs the Magnetar in ${prefix}; nothing was touched`
    throw new MagnetarError('SETUP_CONFLICT', message, { fix: fix(quoteForShell(record.directory)) })
  }
}
