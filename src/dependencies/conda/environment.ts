/**
 * Environments on the disk. One is `PREFIX/envs/NAME`; what we know of it besides is in `PREFIX/.magnetar`, where neither conda nor
 * Galaxy look: NAME.creating (as long as it is not verified), NAME.made (what it was made for), NAME.used (its time is the last use).
 * An environment cannot be made under another name and renamed: its files have their path in them.
 */
import { access, open, readdir, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '../../lib/atomic-file.js'
import { errnoOf, MagnetarError } from '../../lib/errors.js'
import { runCommand } from '../../lib/exec.js'
import { listDirectory, makeDirectories } from '../../lib/fs.js'

/**
 * `half-made`: one of ours that was cut off, or that is being made now. `no-environment`: a directory without conda-meta/history, that
 * something else left there.
 */
export type EnvironmentState = 'missing' | 'whole' | 'half-made' | 'no-environment'

export interface MadeRecord {
  readonly requirements: readonly { readonly name: string; readonly version: string | null }[]
  readonly channels: readonly string[]
  /** ISO 8601. */
  readonly madeAt: string
}

const REMOVE_TIMEOUT_MS = 30 * 60_000
const SYNC_TIMEOUT_MS = 10 * 60_000

export function environmentPath(prefix: string, name: string): string {
  return join(prefix, 'envs', name)
}

/** Where our notes on the environments of a prefix are. */
export function notesDirectory(prefix: string): string {
  return join(prefix, '.magnetar')
}

export function noteFile(prefix: string, name: string, kind: 'creating' | 'made' | 'used'): string {
  return join(notesDirectory(prefix), `${name}.${kind}`)
}

/**
 * Looks, without a lock, at what there is. An environment without our mark that has conda-meta/history is whole: conda writes that,
 * so does one that Galaxy or an admin made.
 */
export async function lookAt(prefix: string, name: string): Promise<EnvironmentState> {
  const path = environmentPath(prefix, name)
  const history = join(path, 'conda-meta', 'history')
  const whole = await isThere(history)
  // In this order, and the first once more: it may be made, or removed after a failure, between two looks.
  if (await isThere(noteFile(prefix, name, 'creating')))
    return (await isThere(path)) ? 'half-made' : 'missing'
  if (whole && (await isThere(history))) return 'whole'
  return (await isThere(path)) ? 'no-environment' : 'missing'
}

/** From here on the environment is not used, whatever becomes of this process. Durable; a failure leaves no note. */
export async function markCreating(prefix: string, name: string): Promise<void> {
  await makeDirectories(notesDirectory(prefix))
  await makeDirectories(join(prefix, 'envs'))
  const note = noteFile(prefix, name, 'creating')
  try {
    await writeDurably(note, `${process.pid}\n`)
  } catch (error) {
    // Of a full disk an empty note would stay, and condemn what somebody else makes under this name.
    await rm(note, { force: true })
    throw error
  }
  syncDirectory(notesDirectory(prefix))
}

/**
 * Drops the notes on environments that were cut off before anything of them was made: what has such a name later was made by somebody
 * else, and is not to be removed. Only with the lock of the prefix: the next moment of whoever makes one is its directory.
 */
export async function dropStaleNotes(prefix: string): Promise<void> {
  for (const note of await listDirectory(notesDirectory(prefix))) {
    const name = /^(.+)\.creating$/.exec(note)?.[1]
    if (name !== undefined && !(await isThere(environmentPath(prefix, name))))
      await rm(join(notesDirectory(prefix), note), { force: true })
  }
}

/** It is whole: its files are on the disk before it counts as made. */
export async function markMade(prefix: string, name: string, made: MadeRecord): Promise<void> {
  // Of a whole file system: a walk over thousands of files takes longer. One that cannot be synced is no reason to fail.
  await runCommand('sync', ['-f', environmentPath(prefix, name)], { timeoutMs: SYNC_TIMEOUT_MS }).catch(
    () => {},
  )
  await writeDurably(noteFile(prefix, name, 'made'), `${JSON.stringify(made)}\n`)
  await rm(noteFile(prefix, name, 'creating'), { force: true })
  syncDirectory(notesDirectory(prefix))
}

/** Removes an environment, then what is noted of it: a removal that is cut off leaves it half-made. */
export async function removeEnvironment(prefix: string, name: string, signal?: AbortSignal): Promise<void> {
  if (await isThere(environmentPath(prefix, name))) {
    if (!(await isThere(noteFile(prefix, name, 'creating')))) await markCreating(prefix, name)
    await removeTree(environmentPath(prefix, name), signal)
  }
  for (const kind of ['made', 'used', 'creating'] as const)
    await rm(noteFile(prefix, name, kind), { force: true })
}

/** By another process: an environment can have a hundred thousand files. @throws Error with what rm said */
export async function removeTree(path: string, signal?: AbortSignal): Promise<void> {
  const options = { timeoutMs: REMOVE_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) }
  const { code, stderr } = await runCommand('rm', ['-rf', '--', path], options)
  if (code !== 0) throw new Error(`cannot remove ${path}: ${stderr.trim().split('\n')[0] ?? ''}`)
}

/** @throws MagnetarError when something is in the way that is not ours */
export async function makeRoom(prefix: string, name: string): Promise<void> {
  const path = environmentPath(prefix, name)
  try {
    await rmdir(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return
    throw new MagnetarError(
      'CONDA_FAILED',
      `${path} is in the way: it is no whole conda environment (no conda-meta/history), and this node did not make it`,
      { fix: `If nothing needs it: rm -r '${path}'`, cause: error },
    )
  }
}

/** The packages that lie in an environment, by the names of their records. */
export async function packagesIn(environment: string): Promise<readonly string[]> {
  const names = await readdir(join(environment, 'conda-meta')).catch((): string[] => [])
  // NAME-VERSION-BUILD.json; neither version nor build has a dash.
  return names.filter((name) => name.endsWith('.json')).map((name) => name.split('-').slice(0, -2).join('-'))
}

/** Notes that a job uses it, as far as this user may. */
export async function noteUse(prefix: string, name: string): Promise<void> {
  const file = noteFile(prefix, name, 'used')
  const now = new Date()
  try {
    await utimes(file, now, now)
  } catch {
    await makeDirectories(notesDirectory(prefix))
      .then(() => writeFile(file, ''))
      .catch(() => {})
  }
}

export async function lastUse(prefix: string, name: string): Promise<Date | undefined> {
  return stat(noteFile(prefix, name, 'used')).then(
    ({ mtime }) => mtime,
    () => undefined,
  )
}

export function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, 'w')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
