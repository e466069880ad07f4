import { lstat, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { giveName, syncDirectory, unlinkIfThere, writeTemporary } from '../../lib/atomic-file.js'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { quoteForShell } from '../../lib/shell.js'
import { readSmallFile } from '../../lib/small-file.js'
import { abortAfter } from '../../lib/time-limit.js'

/** A file of Galaxy's, as it was when it was read. */
export interface JobConfFile {
  /** No symbolic link: where those lead to. */
  readonly path: string
  readonly text: string
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

const MOST_BACKUPS = 1000

/** @throws MagnetarError ANSWER_INVALID, NOT_PERMITTED */
export async function readJobConf(name: string, signal: AbortSignal): Promise<JobConfFile> {
  try {
    const path = await realpath(name)
    const text = await readSmallFile(path, signal)
    const { mode, uid, gid } = await stat(path)
    return { path, text, mode: mode & 0o7777, uid, gid }
  } catch (error) {
    signal.throwIfAborted()
    const reason = errnoOf(error) === 'ENOENT' ? 'it does not exist' : messageOf(error)
    const isForbidden = reason.includes('may not read') || errnoOf(error) === 'EACCES'
    throw new MagnetarError(
      isForbidden ? 'NOT_PERMITTED' : 'ANSWER_INVALID',
      `cannot read ${name}: ${reason}`,
      {
        cause: error,
        fix: isForbidden
          ? 'Run the command as the user who owns the file, or as root.'
          : "Name Galaxy's job_conf.xml or job_conf.yml with --job-conf.",
      },
    )
  }
}

/**
 * Replaces the file in one rename, with the mode and owner that it had; the old one stays beside it as NAME.bak, or NAME.bak.1 and so on.
 * What was written is read again.
 * @returns the path of the backup
 * @throws MagnetarError NOT_PERMITTED, SETUP_BUSY when somebody else changed it meanwhile, SETUP_FAILED; then nothing has changed
 */
export async function writeJobConf(file: JobConfFile, text: string, signal: AbortSignal): Promise<string> {
  const { path, mode, uid, gid } = file
  const directory = dirname(path)
  let dropBackup = (): unknown => undefined
  try {
    const { backup, isNew } = await keepBackup(file, signal)
    dropBackup = () => isNew && unlinkIfThere(backup)
    const temporary = writeTemporary(directory, basename(path), text, { mode, uid, gid })
    let named = false
    try {
      if ((await readSmallFile(path, signal)) !== file.text) throw changedMeanwhile(path)
      giveName(temporary)
      named = true
      dropBackup = () => undefined
    } finally {
      if (!named) unlinkIfThere(temporary.path)
    }
    syncDirectory(directory)
    // No signal: it is written, and this only makes sure.
    if ((await readSmallFile(path, abortAfter(10_000))) !== text) throw changedMeanwhile(path)
    return backup
  } catch (error) {
    dropBackup()
    signal.throwIfAborted()
    throw notWritten(file, error)
  }
}

async function keepBackup(
  { path, text, mode, uid, gid }: JobConfFile,
  signal: AbortSignal,
): Promise<{ backup: string; isNew: boolean }> {
  for (let number = 0; number < MOST_BACKUPS; number++) {
    const backup = `${path}.bak${number === 0 ? '' : `.${number}`}`
    const there = await lstat(backup).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (!there) {
      giveName(writeTemporary(dirname(path), basename(backup), text, { mode, uid, gid }))
      return { backup, isNew: true }
    }
    // One that is the same will do, if it is kept from others as well.
    if (there.isFile() && (there.mode & 0o7777) === mode && there.uid === uid && there.gid === gid)
      if ((await readSmallFile(backup, signal)) === text) return { backup, isNew: false }
  }
  throw new MagnetarError('SETUP_CONFLICT', `there are ${MOST_BACKUPS} backups of ${path} already`, {
    fix: `Remove or move some of ${join(dirname(path), basename(path))}.bak*.`,
  })
}

function changedMeanwhile(path: string): MagnetarError {
  return new MagnetarError('SETUP_BUSY', `${path} was changed by somebody else at this moment`, {
    fix: 'Run the command again.',
  })
}

const FORBIDDEN = new Set(['EACCES', 'EPERM', 'EROFS'])

function notWritten({ path, uid, gid }: JobConfFile, error: unknown): MagnetarError {
  if (error instanceof MagnetarError) return error
  if (errnoOf(error) === 'EPERM' && (error as NodeJS.ErrnoException).syscall === 'fchown') {
    const isOwn = uid === process.geteuid?.()
    const whose = isOwn
      ? `to the group with the number ${gid}, which this user is not in`
      : `to the user with the number ${uid}`
    return new MagnetarError(
      'NOT_PERMITTED',
      `${path} cannot be replaced: it belongs ${whose}, and only root can give a new file there`,
      {
        cause: error,
        fix: isOwn
          ? `Run the command as root, or give the file a group of this user first: chgrp ${process.getegid?.()} ${quoteForShell(path)}`
          : 'Run the command as root, or as the user who owns the file and its directory.',
      },
    )
  }
  const message = `${path} cannot be replaced: ${messageOf(error)}`
  return FORBIDDEN.has(errnoOf(error) ?? '')
    ? new MagnetarError('NOT_PERMITTED', message, {
        cause: error,
        fix: 'Run the command as root, or as the user who owns the file and its directory.',
      })
    : new MagnetarError('SETUP_FAILED', message, {
        cause: error,
        fix: 'Correct that and run the command again. Nothing was changed.',
      })
}
