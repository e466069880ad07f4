import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import {
  type FileAttributes,
  giveName,
  syncDirectory,
  type TemporaryFile,
  unlinkIfThere,
  writeTemporary,
} from '../../lib/atomic-file.js'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import type { LoadOptions } from '../load.js'
import { ConfigError, type ConfigIssue } from '../problems.js'
import { readConfigFile } from '../read-file.js'
import { describeIssue, judgeConfig } from './judge-config.js'

/** A file of the configuration with its new text; nothing is written yet. */
export interface FileEdit {
  readonly kind: 'app.yml' | 'server.ini'
  /** No symbolic link. */
  readonly path: string
  /** With app.yml: the ini file that is read beside it. */
  readonly iniPath?: string | undefined
  /** undefined: the file is new. */
  readonly before: string | undefined
  readonly after: string
}

export interface WrittenEdit {
  /** What the server will warn about and did not before. */
  readonly warnings: readonly string[]
  /** What was wrong before, and still is. */
  readonly remaining: readonly ConfigIssue[]
}

/**
 * Checks the whole configuration with the new text in place of the file, and only then puts it there, in one rename, with the owner
 * and mode that the file had. A new file is readable for the owner of the directory alone.
 * @throws ConfigError with what would be wrong and was not before, MagnetarError NOT_PERMITTED, SETUP_BUSY when somebody else changed the
 *   file meanwhile; then nothing has changed
 */
export async function writeChecked(options: LoadOptions, edit: FileEdit): Promise<WrittenEdit> {
  const before = await judgeConfig(options)
  let temporary: TemporaryFile
  try {
    const access = await accessFor(edit)
    temporary = writeTemporary(dirname(edit.path), basename(edit.path), edit.after, access)
  } catch (error) {
    throw notWritten(edit.path, error)
  }
  let named = false
  try {
    const rename = (text: string): string => text.replaceAll(temporary.path, edit.path)
    const { issues, config } = await judgeConfig(withFile(options, edit, temporary.path))
    const after = issues.map((issue) => ({
      ...issue,
      file: rename(issue.file),
      message: rename(issue.message),
    }))
    const known = new Set(before.issues.map(describeIssue))
    const added = after.filter((issue) => !known.has(describeIssue(issue)))
    if (added.length > 0) throw new ConfigError(added)
    await expectUnchanged(edit, options.signal)
    giveName(temporary)
    named = true
    syncDirectory(dirname(edit.path))
    const old = new Set(before.config?.warnings.map(withoutLines))
    const warnings = (config?.warnings ?? []).map(rename)
    return { warnings: warnings.filter((each) => !old.has(withoutLines(each))), remaining: after }
  } catch (error) {
    throw errnoOf(error) === undefined ? error : notWritten(edit.path, error)
  } finally {
    if (!named) unlinkIfThere(temporary.path)
  }
}

async function accessFor({ path, before }: FileEdit): Promise<FileAttributes> {
  const like = await stat(before === undefined ? dirname(path) : path)
  const owner = { uid: like.uid, gid: like.gid }
  if (before !== undefined) return { mode: like.mode & 0o7777, ...owner }
  return { mode: 0o600, ...(process.getuid?.() === 0 ? owner : {}) }
}

function withFile(options: LoadOptions, { kind, iniPath }: FileEdit, path: string): LoadOptions {
  if (kind === 'server.ini') return { ...options, iniPath: path }
  return { ...options, appConfPath: path, ...(iniPath === undefined ? {} : { iniPath }) }
}

function withoutLines(warning: string): string {
  return warning.replace(/:\d+: /, ': ')
}

async function expectUnchanged({ path, before }: FileEdit, signal: AbortSignal | undefined): Promise<void> {
  if ((await readConfigFile({ path }, signal)) === before) return
  throw new MagnetarError('SETUP_BUSY', `${path} was changed by somebody else at this moment`, {
    fix: 'Run the command again.',
  })
}

const NOT_PERMITTED = new Set(['EACCES', 'EPERM', 'EROFS'])

function notWritten(path: string, error: unknown): MagnetarError {
  if (error instanceof MagnetarError) return error
  const cause = { cause: error }
  if (NOT_PERMITTED.has(errnoOf(error) ?? '')) {
    return new MagnetarError('NOT_PERMITTED', `${path} cannot be replaced: ${messageOf(error)}`, {
      ...cause,
      fix: 'Run the command as root, or as the user who owns the file and its directory.',
    })
  }
  return new MagnetarError('SETUP_FAILED', `${path} cannot be written: ${messageOf(error)}`, {
    ...cause,
    fix: 'Correct that and run the command again. Nothing was changed.',
  })
}
