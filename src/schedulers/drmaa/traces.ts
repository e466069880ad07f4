/** What a submit through the library leaves in the job directory. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, messageOf } from '../../lib/errors.js'
import { bootId, isAlive } from '../process-table.js'
import { SchedulerDown, type Submission } from '../scheduler.js'
import { type ProcessIdentity, STARTED_FILE } from '../started-file.js'
import { EXTERNAL_ID_FILE, SUBMITTING_FILE } from './wire.js'

/** `id`: it was taken. `busy`: a process that has the library is submitting it. `broken off`: one died of it. `none`: never begun. */
export type SubmitTrace =
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'busy' | 'broken off' | 'none' }

/** @throws SchedulerDown when the files cannot be read */
export async function readSubmitTrace(job: Pick<Submission, 'directory'>): Promise<SubmitTrace> {
  const note = await readIfThere(join(job.directory, SUBMITTING_FILE))
  if (note !== undefined) {
    const [pid = '', startTime = '', boot = ''] = note.split(':')
    if (lives({ pid: Number(pid), startTime, bootId: boot })) return { kind: 'busy' }
  }
  const id = parseId(await readIfThere(join(job.directory, EXTERNAL_ID_FILE)))
  if (id !== undefined) return { kind: 'id', id }
  return { kind: note === undefined ? 'none' : 'broken off' }
}

function lives(process: ProcessIdentity): boolean {
  try {
    return isAlive(process)
  } catch (error) {
    throw new SchedulerDown(`cannot look whether process ${process.pid} lives: ${messageOf(error)}`)
  }
}

/** Makes J/started in the name of nobody, so that the script does not run any more, whatever was submitted. */
export async function forbidStart(job: Pick<Submission, 'directory'>): Promise<void> {
  await writeFile(join(job.directory, STARTED_FILE), `:0:0:${bootId() || '0'}\n`, { flag: 'wx' }).catch(
    () => {},
  )
}

function parseId(text: string | undefined): string | undefined {
  try {
    const value: unknown = JSON.parse(text ?? 'null')
    return typeof value === 'string' && value !== '' ? value : undefined
  } catch {
    return undefined
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined
    throw new SchedulerDown(`cannot read ${path}: ${messageOf(error)}`)
  }
}
