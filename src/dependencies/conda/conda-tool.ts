import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { CommandNotStarted } from '../../lib/exec.js'
import { findProgram } from '../../lib/find-program.js'
import { explainConda } from './explain-conda.js'
import { runConda } from './run-conda.js'
import type { CondaSettings } from './settings.js'

/** The program that makes environments, and what it can do. */
export interface CondaTool {
  readonly exec: string
  /** `mamba`: micromamba, and mamba from version 2 on, which know fewer options. mamba 1 is conda. */
  readonly kind: 'conda' | 'mamba'
  readonly version: string
  readonly hasLibmambaSolver: boolean
  readonly hasCondaBuild: boolean
}

const INFO_TIMEOUT_MS = 120_000

/**
 * Asks `EXEC info --json` what it is.
 * @throws MagnetarError CONDA_UNAVAILABLE with the reason; the signal's reason
 */
export async function probeConda(settings: CondaSettings, signal: AbortSignal): Promise<CondaTool> {
  const exec = await findExec(settings)
  const unavailable = (why: string, cause?: unknown): MagnetarError =>
    new MagnetarError('CONDA_UNAVAILABLE', `there is no Conda that works at ${exec}: ${why}`, { cause })
  let stdout: string
  try {
    const result = await runConda(settings, {
      exec,
      args: ['info', '--json'],
      timeoutMs: INFO_TIMEOUT_MS,
      signal,
    })
    if (result.code !== 0 || result.timedOut) throw unavailable(explainConda(result).text)
    stdout = result.stdout
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof MagnetarError ? error : unavailable(whyNotRun(error), error)
  }
  const info = parseInfo(stdout)
  if (!info) throw unavailable('"info --json" says nothing that can be understood')
  const root = info.rootPrefix ?? settings.prefix
  return {
    exec,
    kind: info.kind,
    version: info.version,
    hasLibmambaSolver: await hasPackage(root, 'conda-libmamba-solver'),
    hasCondaBuild: info.hasCondaBuild,
  }
}

/**
 * A bare name is looked for on PATH. Where there is no `conda`, that of the prefix is meant (conda_util.CondaContext.__init__).
 * @throws MagnetarError CONDA_UNAVAILABLE
 */
async function findExec({ exec, env, prefix }: CondaSettings): Promise<string> {
  if (exec.includes('/')) return exec
  const found = await findProgram(exec, env.PATH)
  if (found !== undefined) return found
  if (exec === 'conda') return join(prefix, 'bin', 'conda')
  throw new MagnetarError(
    'CONDA_UNAVAILABLE',
    `there is no ${exec} on the PATH of the server (${env.PATH ?? 'none'})`,
  )
}

function whyNotRun(error: unknown): string {
  if (!(error instanceof CommandNotStarted)) return messageOf(error)
  if (error.errno === 'ENOENT') return 'there is no such program'
  return error.errno === 'EACCES'
    ? 'the user of the server may not run it, or it is no program'
    : error.message
}

interface Info {
  readonly kind: CondaTool['kind']
  readonly version: string
  readonly rootPrefix: string | undefined
  readonly hasCondaBuild: boolean
}

function parseInfo(stdout: string): Info | undefined {
  let info: Record<string, unknown>
  try {
    info = JSON.parse(stdout) as Record<string, unknown>
  } catch {
    return undefined
  }
  const text = (key: string): string | undefined => (typeof info[key] === 'string' ? info[key] : undefined)
  const conda = text('conda_version')
  const build = text('conda_build_version')
  const common = { hasCondaBuild: build !== undefined && /^\d/.test(build) }
  if (conda !== undefined)
    return { kind: 'conda', version: conda, rootPrefix: text('root_prefix'), ...common }
  const mamba = text('micromamba version') ?? text('mamba version') ?? text('libmamba version')
  if (mamba === undefined) return undefined
  return { kind: 'mamba', version: mamba, rootPrefix: text('base environment'), ...common }
}

/** What `conda list -f --json NAME` would find, without the half second that takes. */
async function hasPackage(root: string, name: string): Promise<boolean> {
  const files = await readdir(join(root, 'conda-meta')).catch((): string[] => [])
  return files.some((file) => file.startsWith(`${name}-`) && /^\d/.test(file.slice(name.length + 1)))
}

/** Whether a version is at least another; letters (26.1.0rc1) count as the number before them. */
export function isAtLeast(version: string, wanted: string): boolean {
  const parts = (text: string): number[] => text.split('.').map((part) => Number.parseInt(part, 10) || 0)
  const [one, other] = [parts(version), parts(wanted)]
  for (let index = 0; index < Math.max(one.length, other.length); index++) {
    const difference = (one[index] ?? 0) - (other[index] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}
