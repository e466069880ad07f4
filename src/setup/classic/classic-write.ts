import nodeFs, { constants } from 'node:fs'
import { access, lstat, mkdir, readFile, readlink, realpath, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import {
  type FileSystem,
  giveName,
  syncDirectory,
  type TemporaryFile,
  unlinkIfThere,
  writeTemporary,
} from '../../lib/atomic-file.js'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import type { ClassicFile } from './classic-config.js'

interface Attributes {
  readonly uid?: number
  readonly gid?: number
  readonly mode: number
}

interface Target {
  readonly file: ClassicFile
  /** Behind symbolic links, which stay. */
  readonly path: string
  readonly existing: Attributes | undefined
}

interface Undo {
  readonly path: string
  run(): Promise<void> | void
}

const MAX_LINKS = 40

/**
 * Writes all the files into `directory` (absolute; made when missing, with `dependencies` in it), or none: when one of them is
 * there and `force` is not given, or when anything fails, everything is left as it was. A file that is replaced keeps its owner
 * and mode; one that holds a secret is readable for its owner only, unless its mode shuts out the others already.
 * @throws MagnetarError SETUP_CONFLICT with the sentence of pulsar-config 0.16.0 when a file is there, NOT_PERMITTED, DISK_FULL,
 * DIRECTORY_UNUSABLE
 */
export async function writeClassicFiles(
  directory: string,
  files: readonly ClassicFile[],
  { force, fs = nodeFs }: { readonly force: boolean; readonly fs?: FileSystem },
): Promise<void> {
  const undo: Undo[] = []
  try {
    await refuseFile(directory)
    const targets = await findTargets(directory, files, force)
    await makeDirectory(directory, undo)
    await makeDirectory(join(directory, 'dependencies'), undo)
    const temporary = targets.map((target) => stage(target, undo, fs))
    for (const [index, file] of temporary.entries()) await commit(file, targets[index]?.existing, undo, fs)
    for (const path of new Set(targets.map((target) => dirname(target.path)))) syncDirectory(path, fs)
  } catch (error) {
    throw explain(error, directory, await undoAll(undo))
  }
}

async function refuseFile(directory: string): Promise<void> {
  const found = await stat(directory).catch(ignoreMissing)
  if (!found || found.isDirectory()) return
  throw new MagnetarError('DIRECTORY_UNUSABLE', `${directory} is not a directory`, {
    fix: 'Name another with --directory.',
  })
}

async function findTargets(
  directory: string,
  files: readonly ClassicFile[],
  force: boolean,
): Promise<Target[]> {
  const targets: Target[] = []
  for (const file of files) {
    const target = await findTarget(directory, file, force)
    const same = targets.find(({ path }) => path === target.path)
    if (same)
      throw new MagnetarError(
        'DIRECTORY_UNUSABLE',
        `${same.file.name} and ${file.name} in ${directory} are links to the same file`,
        { fix: 'Remove one of the links.' },
      )
    targets.push(target)
  }
  return targets
}

async function findTarget(directory: string, file: ClassicFile, force: boolean): Promise<Target> {
  const named = join(directory, file.name)
  const path = await followLinks(named)
  const found = await stat(path).catch(ignoreMissing)
  if (!found) return { file, path, existing: undefined }
  if (!force) {
    const message = `File ${named} exists, exiting. Run with --force to replace configuration.`
    throw new MagnetarError('SETUP_CONFLICT', message)
  }
  if (!found.isFile())
    throw new MagnetarError('DIRECTORY_UNUSABLE', `${path} is not a plain file`, {
      fix: 'Move it away, or name another directory with --directory.',
    })
  // Renaming over a file asks for no right to write it, and would take a read-only one away from whoever made it so.
  await access(path, constants.W_OK)
  return { file, path, existing: { uid: found.uid, gid: found.gid, mode: found.mode & 0o7777 } }
}

/** The file that writing to `path` would write, also where there is none yet. */
async function followLinks(path: string): Promise<string> {
  let at = path
  for (let followed = 0; followed < MAX_LINKS; followed++) {
    const found = await lstat(at).catch(ignoreMissing)
    if (!found?.isSymbolicLink()) return at
    at = resolve(await realpath(dirname(at)), await readlink(at))
  }
  throw new MagnetarError('DIRECTORY_UNUSABLE', `${path} is a symbolic link that leads to itself`, {
    fix: 'Remove the link.',
  })
}

async function makeDirectory(directory: string, undo: Undo[]): Promise<void> {
  const found = await stat(directory).catch(ignoreMissing)
  if (found) return
  if (dirname(directory) !== directory) await makeDirectory(dirname(directory), undo)
  await mkdir(directory)
  undo.push({ path: directory, run: () => rmdir(directory) })
}

function stage({ file, path, existing }: Target, undo: Undo[], fs: FileSystem): TemporaryFile {
  const attributes = modeFor(file, existing)
  const temporary = writeTemporary(dirname(path), basename(path), file.text, attributes, fs)
  undo.push({ path: temporary.path, run: () => unlinkIfThere(temporary.path, fs) })
  return temporary
}

/** What somebody has shut to others stays as it is; a secret that others could read is shut now. */
function modeFor(file: ClassicFile, existing: Attributes | undefined): Attributes {
  if (existing) return file.secret && existing.mode & 0o007 ? { ...existing, mode: 0o600 } : existing
  return { mode: file.secret ? 0o600 : 0o666 & ~process.umask() }
}

async function commit(
  file: TemporaryFile,
  existing: Attributes | undefined,
  undo: Undo[],
  fs: FileSystem,
): Promise<void> {
  const path = file.target
  const before = existing && (await readFile(path))
  giveName(file, fs)
  undo.push({
    path,
    run() {
      if (!before) unlinkIfThere(path, fs)
      else giveName(writeTemporary(dirname(path), basename(path), before, existing, fs), fs)
    },
  })
}

/** Takes everything back, last first; resolves with what could not be. */
async function undoAll(undo: readonly Undo[]): Promise<string[]> {
  const left: string[] = []
  for (const { path, run } of undo.toReversed()) {
    try {
      await run()
    } catch {
      left.push(path)
    }
  }
  return left
}

function explain(error: unknown, directory: string, left: readonly string[]): MagnetarError {
  if (error instanceof MagnetarError) return error
  const rest = left.length === 0 ? 'Nothing was written.' : `It could not be put back: ${left.join(', ')}.`
  const message = `cannot write the configuration in ${directory}: ${messageOf(error)}. ${rest}`
  switch (errnoOf(error)) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new MagnetarError('NOT_PERMITTED', message, {
        fix: 'Run it as the user who owns the directory and the files, or name another with --directory.',
        cause: error,
      })
    case 'ENOSPC':
    case 'EDQUOT':
      return new MagnetarError('DISK_FULL', message, {
        fix: 'Free space there and run it again.',
        cause: error,
      })
    default:
      return new MagnetarError('DIRECTORY_UNUSABLE', message, { cause: error })
  }
}

function ignoreMissing(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error
}
