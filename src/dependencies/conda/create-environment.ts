import { join } from 'node:path'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import type { CommandResult } from '../../lib/exec.js'
import type { FileLock } from '../../lib/file-lock.js'
import type { Logger } from '../../lib/log.js'
import { cleanArguments, createArguments, knowsStrict } from './command-lines.js'
import type { CondaTool } from './conda-tool.js'
import {
  environmentPath,
  isThere,
  lookAt,
  makeRoom,
  markCreating,
  markMade,
  notesDirectory,
  packagesIn,
  removeEnvironment,
} from './environment.js'
import { type CondaFailure, explainConda } from './explain-conda.js'
import { failureOf } from './failure.js'
import { lockPrefix } from './prefix-lock.js'
import { runConda, showCommand } from './run-conda.js'
import type { CondaSettings } from './settings.js'
import { type CondaTarget, describeTarget, specOf } from './targets.js'

export interface Creation {
  readonly settings: CondaSettings
  readonly tool: CondaTool
  readonly name: string
  readonly targets: readonly CondaTarget[]
  readonly log: Logger
  readonly signal: AbortSignal
}

/** A solve, a gigabyte over a slow line, and a network file system. */
const CREATE_TIMEOUT_MS = 2 * 3600_000
const CLEAN_TIMEOUT_MS = 10 * 60_000

/**
 * Makes an environment under its final name, unless it is there already when the lock of the prefix is ours. conda is not safe against
 * itself in one package cache, so only one process at a time works in a prefix; the lock goes to conda too, so that the conda of a
 * server that was killed is waited for, and not disturbed by the next.
 * @throws MagnetarError CONDA_FAILED with conda's message, and nothing left; the signal's reason
 */
export async function createEnvironment(creation: Creation): Promise<void> {
  const { settings, name, log, signal } = creation
  const { prefix } = settings
  const lock = await lockPrefix(prefix, name, log, signal)
  try {
    const state = await lookAt(prefix, name)
    if (state === 'whole') return
    if (state === 'half-made') {
      log.warn(
        `removing the conda environment ${environmentPath(prefix, name)}: it was cut off while it was made`,
      )
      await removeEnvironment(prefix, name, signal)
    }
    if (state === 'no-environment') await makeRoom(prefix, name)
    await markCreating(prefix, name)
    try {
      await makeAndVerify(creation, lock)
    } catch (error) {
      await removeEnvironment(prefix, name).catch((problem: unknown) => log.warn(messageOf(problem)))
      throw error
    }
  } catch (error) {
    throw asFailure(error, creation)
  } finally {
    await lock?.release()
  }
}

async function makeAndVerify(creation: Creation, lock: FileLock | undefined): Promise<void> {
  const { settings, tool, name, targets, log, signal } = creation
  const environment = environmentPath(settings.prefix, name)
  const specs = targets.map(specOf)
  const passFds = lock ? [lock.fd] : []

  const run = async (args: readonly string[], timeoutMs: number): Promise<CommandResult> => {
    log.debug(`Executing command: ${showCommand(tool.exec, args)}`)
    return runConda(settings, {
      exec: tool.exec,
      args,
      timeoutMs,
      signal,
      passFds,
      ...(lock && { homeBelow: notesDirectory(settings.prefix) }),
    })
  }
  const create = async (strict: boolean): Promise<CondaFailure | undefined> => {
    const args = createArguments(settings, tool, { environment, specs, strict })
    const result = await run(args, CREATE_TIMEOUT_MS)
    if (result.code !== 0 || result.timedOut) return explainConda(result)
    return verify(environment, targets)
  }
  const again = async (strict: boolean): Promise<CondaFailure | undefined> => {
    await removeEnvironment(settings.prefix, name, signal)
    await markCreating(settings.prefix, name)
    return create(strict)
  }

  const begun = performance.now()
  log.info(`making the conda environment ${name} for ${targets.map(describeTarget).join(', ')}`)
  let failure = await create(true)
  if (failure?.cause === 'damaged') {
    log.warn(`conda's package cache is damaged and is cleaned: ${failure.text}`)
    await run(cleanArguments(tool), CLEAN_TIMEOUT_MS)
    failure = await again(true)
  }
  // As Galaxy: a channel may have the package and not all that it needs.
  if ((failure?.cause === 'conflict' || failure?.cause === 'unknown-package') && knowsStrict(tool))
    failure = mostTelling(failure, await again(false))
  if (failure) throw failureOf(failure, creation)
  await markMade(settings.prefix, name, {
    requirements: targets.map((target) => ({ name: target.name, version: target.version ?? null })),
    channels: settings.channels,
    madeAt: new Date().toISOString(),
  })
  log.info(`made the conda environment ${environment} in ${Math.round((performance.now() - begun) / 1000)} s`)
}

function mostTelling(first: CondaFailure, second: CondaFailure | undefined): CondaFailure | undefined {
  return second?.cause === 'other' ? first : second
}

/** Galaxy only looks whether the directory is there. */
async function verify(
  environment: string,
  targets: readonly CondaTarget[],
): Promise<CondaFailure | undefined> {
  if (!(await isThere(join(environment, 'conda-meta', 'history'))))
    return { cause: 'other', text: `conda reported success, but ${environment} has no conda-meta/history` }
  const packages = new Set(await packagesIn(environment))
  const lacking = targets.filter(({ name }) => !packages.has(name.toLowerCase()))
  if (lacking.length === 0) return undefined
  return {
    cause: 'other',
    text: `conda reported success, but did not install ${lacking.map(describeTarget).join(', ')}`,
  }
}

function asFailure(error: unknown, creation: Creation): unknown {
  if (creation.signal.aborted || error instanceof MagnetarError) return error
  const isFull = errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT'
  return failureOf({ cause: isFull ? 'disk-full' : 'other', text: messageOf(error) }, creation)
}
