import { access, constants, open, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncDirectory } from '../../lib/atomic-file.js'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { type FileLock, lockFile } from '../../lib/file-lock.js'
import { listDirectory, makeDirectories } from '../../lib/fs.js'
import type { Logger } from '../../lib/log.js'
import { installArguments } from './command-lines.js'
import { type CondaTool, isAtLeast, probeConda } from './conda-tool.js'
import { isThere, removeTree } from './environment.js'
import { explainConda } from './explain-conda.js'
import { fetchInstaller, runInstaller } from './installer.js'
import { runConda, showCommand } from './run-conda.js'
import type { CondaSettings } from './settings.js'

const LOCK_TIMEOUT_MS = 3600_000
const INSTALL_TIMEOUT_MS = 3600_000

/**
 * The Conda of the settings; where there is none, it is installed into the prefix. A mark beside the prefix stands as long as that is
 * not verified: what a killed installation left is removed and made again, anything else that is in the way is left alone.
 * Reference: galaxy.tool_util.deps.installable.ensure_installed, conda_util.install_conda.
 * @throws MagnetarError CONDA_UNAVAILABLE with what to do; the signal's reason
 */
export async function installConda(
  settings: CondaSettings,
  log: Logger,
  signal: AbortSignal,
): Promise<CondaTool> {
  const { prefix } = settings
  try {
    const found = await look(settings, signal)
    // Looked at a second time: it may be in the making just now.
    if (!(found instanceof Error) && !(await isCutOff(settings)))
      return await withCondaBuild(settings, found, log, signal)
    checkExec(settings, found)
    await makeUsableParent(prefix)
    const lock = await lockBeside(prefix, log, signal)
    try {
      return await installLocked(settings, log, signal, lock)
    } finally {
      await lock?.release()
    }
  } catch (error) {
    signal.throwIfAborted()
    throw asUnavailable(error, prefix)
  }
}

/** The Conda that works, or why none does. */
async function look(settings: CondaSettings, signal: AbortSignal): Promise<CondaTool | Error> {
  if (await isCutOff(settings)) return new Error(`the Conda in ${settings.prefix} is not complete`)
  try {
    return await probeConda(settings, signal)
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof Error ? error : new Error(messageOf(error))
  }
}

/** Whether the Conda that is to be used is being installed, or was when something ended that. */
async function isCutOff(settings: CondaSettings): Promise<boolean> {
  return isOwn(settings) && (await isThere(markOf(settings.prefix)))
}

function isOwn({ prefix, exec }: CondaSettings): boolean {
  return exec === join(prefix, 'bin', 'conda') || exec === 'conda'
}

/** With another executable the result would not be used. */
function checkExec(settings: CondaSettings, why: unknown): void {
  if (isOwn(settings)) return
  const { prefix } = settings
  const message = `${messageOf(why)}; auto_init only installs ${prefix}/bin/conda`
  throw new MagnetarError('CONDA_UNAVAILABLE', message, {
    fix: `Correct exec, or leave it out so that Conda is installed into ${prefix}.`,
  })
}

/** Only an absent or empty prefix is installed into. Call with the lock: another process may be about it. */
async function checkEmpty(prefix: string, why: Error): Promise<void> {
  const entries = await listDirectory(prefix)
  if (entries.every((entry) => entry === '.magnetar')) return
  throw new MagnetarError(
    'CONDA_UNAVAILABLE',
    `${why.message}; and Conda is not installed into ${prefix}, as that is not empty and this node did not make it`,
    {
      fix: `Look at what it is. If nothing needs it, "rm -r '${prefix}'"; else name another directory with prefix.`,
    },
  )
}

async function installLocked(
  settings: CondaSettings,
  log: Logger,
  signal: AbortSignal,
  lock: FileLock | undefined,
): Promise<CondaTool> {
  const { prefix } = settings
  if (await isThere(markOf(prefix))) {
    log.warn(`removing what an installation of Conda left in ${prefix} that was cut off`)
    await removeTree(prefix, signal)
  } else {
    // Another process may have installed it while this one waited.
    const there = await look(settings, signal)
    if (!(there instanceof Error)) return there
    await checkEmpty(prefix, there)
    await rm(join(prefix, '.magnetar'), { recursive: true, force: true })
    await rmdir(prefix).catch(() => {})
  }
  log.info(`Installing conda into ${prefix}, this may take several minutes.`)
  const installer = await fetchInstaller(
    settings,
    join(dirname(prefix), `.${basename(prefix)}.magnetar-installer`),
    log,
    signal,
  )
  try {
    await writeMark(prefix)
    const passFds = lock ? [lock.fd] : []
    await runInstaller(installer.file, prefix, { env: settings.env, signal, passFds })
    const tool = await withCondaBuild(settings, await refresh(settings, log, signal), log, signal)
    await rm(markOf(prefix), { force: true })
    syncDirectory(dirname(prefix))
    log.info(`Conda ${tool.version} is installed in ${prefix}`)
    return tool
  } catch (error) {
    // The mark goes last: cut off here, the next start does it.
    await removeTree(prefix)
      .then(() => rm(markOf(prefix), { force: true }))
      .catch((problem: unknown) => log.warn(messageOf(problem)))
    throw error
  } finally {
    await installer.dispose()
  }
}

/** Galaxy installs these after each installation; a current installer has them. */
async function refresh(settings: CondaSettings, log: Logger, signal: AbortSignal): Promise<CondaTool> {
  const tool = await probeConda(settings, signal)
  if (tool.kind === 'mamba' || isAtLeast(tool.version, '23.7.0')) return tool
  await install(settings, tool, ['conda>=23.7.0', 'conda-libmamba-solver', 'pyopenssl>=22.1.0'], log, signal)
  return probeConda(settings, signal)
}

async function withCondaBuild(
  settings: CondaSettings,
  tool: CondaTool,
  log: Logger,
  signal: AbortSignal,
): Promise<CondaTool> {
  if (!settings.useLocal || tool.hasCondaBuild || tool.kind === 'mamba') return tool
  await install(settings, tool, ['conda-build>=3.22.0'], log, signal)
  return probeConda(settings, signal)
}

async function install(
  settings: CondaSettings,
  tool: CondaTool,
  specs: readonly string[],
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { exec } = tool
  const args = installArguments(settings, tool, specs)
  log.debug(`Executing command: ${showCommand(exec, args)}`)
  const result = await runConda(settings, { exec, args, timeoutMs: INSTALL_TIMEOUT_MS, signal })
  if (result.code !== 0 || result.timedOut)
    throw new Error(`conda could not install ${specs.join(', ')}: ${explainConda(result).text}`)
}

function markOf(prefix: string): string {
  return join(dirname(prefix), `.${basename(prefix)}.magnetar-installing`)
}

async function writeMark(prefix: string): Promise<void> {
  const handle = await open(markOf(prefix), 'w')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  syncDirectory(dirname(prefix))
}

async function makeUsableParent(prefix: string): Promise<void> {
  const parent = dirname(prefix)
  await makeDirectories(parent)
  await access(parent, constants.W_OK | constants.X_OK)
}

async function lockBeside(prefix: string, log: Logger, signal: AbortSignal): Promise<FileLock | undefined> {
  const file = join(dirname(prefix), `.${basename(prefix)}.magnetar-lock`)
  try {
    return await lockFile(file, { timeoutMs: LOCK_TIMEOUT_MS, signal })
  } catch (error) {
    signal.throwIfAborted()
    if (errnoOf(error) !== undefined) throw error
    log.warn(`Conda is installed without a lock against other processes: ${messageOf(error)}`)
    return undefined
  }
}

function asUnavailable(error: unknown, prefix: string): MagnetarError {
  if (error instanceof MagnetarError) return error
  const why = messageOf(error)
  const at = `Conda could not be installed into ${prefix}`
  const options = { fix: fixOf(error, prefix), cause: error }
  if (isFull(error))
    return new MagnetarError('CONDA_UNAVAILABLE', `${at}: the disk is full (${why})`, options)
  return new MagnetarError('CONDA_UNAVAILABLE', `${at}: ${why}`, options)
}

const NOT_WRITABLE = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EEXIST']

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '') || /no space left/i.test(messageOf(error))
}

function fixOf(error: unknown, prefix: string): string {
  const parent = dirname(prefix)
  if (isFull(error)) return `Free space on the disk of ${parent}; the next job that needs Conda tries again.`
  if (NOT_WRITABLE.includes(errnoOf(error) ?? ''))
    return `The user of the server must be able to write to ${parent}: give it to that user, or correct tool_dependency_dir (conda_prefix) in app.yml.`
  return `The next job that needs Conda tries again. Without a network: bring an installer here and "magnetar config set conda_installer FILE", or use a Conda that is there: "magnetar config set conda_exec /opt/conda/bin/conda"; then restart the node.`
}
