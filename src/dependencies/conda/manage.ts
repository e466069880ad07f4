import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import { runCommand } from '../../lib/exec.js'
import { LockBusy, lockFile } from '../../lib/file-lock.js'
import { listDirectory, makeDirectories } from '../../lib/fs.js'
import { createLimit } from '../../lib/limit.js'
import { type Logger, silentLogger } from '../../lib/log.js'
import type { Requirement } from '../types.js'
import { createCondaSource } from './conda-source.js'
import { createEnvironment } from './create-environment.js'
import {
  environmentPath,
  isThere,
  lastUse,
  lookAt,
  type MadeRecord,
  noteFile,
  notesDirectory,
  removeEnvironment,
} from './environment.js'
import { lockOf, nameHolder, tidy, tidyAtStart } from './prefix-lock.js'
import type { CondaSettings } from './settings.js'
import { describeTarget, environmentName, lookupNames, targetOf } from './targets.js'

export interface EnvironmentReport {
  readonly name: string
  readonly path: string
  /** What it is for: "zlib 1.2.8"; of an environment of several packages also from its history, empty when nothing tells. */
  readonly requirements: readonly string[]
  /** `in-the-making`: some process is about it now. */
  readonly state: 'whole' | 'half-made' | 'in-the-making' | 'no-environment'
  /** On the disk, with what it shares with the package cache. */
  readonly sizeBytes: number
  /** ISO 8601; null: no job of this release used it. */
  readonly lastUsed: string | null
  /** ISO 8601; null: not known, as something else made it. */
  readonly madeAt: string | null
  /** Made by this program; else by Galaxy, a Python Pulsar, or an admin. */
  readonly ours: boolean
}

/** What an admin does with the environments of a Conda. */
export interface CondaManager {
  readonly prefix: string
  /** Those with names of tools; conda's own and those of people are left out. */
  list(signal: AbortSignal): Promise<readonly EnvironmentReport[]>
  /** @throws MagnetarError as a job would fail */
  install(
    requirements: readonly Requirement[],
    log: Logger,
    signal: AbortSignal,
  ): Promise<{ name: string; made: boolean }>
  /** What is wrong with an environment, a sentence each. */
  verify(name: string, signal: AbortSignal): Promise<readonly string[]>
  /** Puts in order what killed processes left, too. @throws MagnetarError CONDA_FAILED when one is being made */
  remove(names: readonly string[], signal: AbortSignal): Promise<void>
}

const DU_TIMEOUT_MS = 10 * 60_000
const REMOVE_LOCK_TIMEOUT_MS = 2000
const LOOK_LOCK_TIMEOUT_MS = 1000

export function createCondaManager(settings: CondaSettings): CondaManager {
  const { prefix } = settings
  return {
    prefix,
    list: (signal) => list(prefix, signal),
    async install(requirements, log, signal) {
      const targets = requirements.map((each) => targetOf(each, false))
      for (const name of lookupNames(targets))
        if ((await lookAt(prefix, name)) === 'whole') return { name, made: false }
      const name = environmentName(targets)
      const tool = await createCondaSource(settings).find(log, signal)
      await createEnvironment({ settings, tool, name, targets, log, signal })
      return { name, made: true }
    },
    verify: (name, signal) => verify(prefix, name, signal),
    remove: (names, signal) => remove(prefix, names, signal),
  }
}

async function list(prefix: string, signal: AbortSignal): Promise<EnvironmentReport[]> {
  const names = new Set((await listDirectory(join(prefix, 'envs'))).filter(isOfTool))
  const busy = await isBusy(prefix, signal)
  const limit = createLimit(4)
  const reports = [...names].sort().map((name) =>
    limit(async (): Promise<EnvironmentReport> => {
      const state = await lookAt(prefix, name)
      const made = await readMade(prefix, name)
      return {
        name,
        path: environmentPath(prefix, name),
        requirements: await requirementsOf(prefix, name, made),
        state: state === 'missing' || (state === 'half-made' && busy) ? 'in-the-making' : state,
        sizeBytes: await sizeOf(environmentPath(prefix, name), signal),
        lastUsed: (await lastUse(prefix, name))?.toISOString() ?? null,
        madeAt: made?.madeAt ?? null,
        ours: made !== undefined || state === 'half-made',
      }
    }),
  )
  return Promise.all(reports)
}

function isOfTool(name: string): boolean {
  return /^__.+@./.test(name) || name.startsWith('mulled-v1-')
}

/** A process makes an environment in this prefix now. */
async function isBusy(prefix: string, signal: AbortSignal): Promise<boolean> {
  const file = lockOf(prefix)
  if (!(await isThere(file))) return false
  try {
    await (await lockFile(file, { timeoutMs: LOOK_LOCK_TIMEOUT_MS, signal })).release()
    return false
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof LockBusy
  }
}

async function readMade(prefix: string, name: string): Promise<MadeRecord | undefined> {
  try {
    return JSON.parse(await readFile(noteFile(prefix, name, 'made'), 'utf8')) as MadeRecord
  } catch {
    return undefined
  }
}

async function requirementsOf(prefix: string, name: string, made: MadeRecord | undefined): Promise<string[]> {
  if (made)
    return made.requirements.map((each) =>
      describeTarget({ name: each.name, version: each.version ?? undefined }),
    )
  const single = /^__(.+)@([^@]+)$/.exec(name)
  if (single?.[1] !== undefined)
    return [describeTarget({ name: single[1], version: single[2] === '_uv_' ? undefined : single[2] })]
  // conda notes what it was asked for: # update specs: ['a=1', "b[version='2.*']"]
  const history = await readFile(join(environmentPath(prefix, name), 'conda-meta', 'history'), 'utf8').catch(
    () => '',
  )
  const specs = /^# update specs: \[(.*)\]$/m.exec(history)?.[1] ?? ''
  return [...specs.matchAll(/'([^'=\s[\]]+)=+([^'\s]+)'/g)].map(([, one = '', version = '']) =>
    describeTarget({ name: one, version: version === '*' ? undefined : version }),
  )
}

async function sizeOf(path: string, signal: AbortSignal): Promise<number> {
  const { stdout } = await runCommand('du', ['-sk', '--', path], { timeoutMs: DU_TIMEOUT_MS, signal })
  return Number.parseInt(stdout, 10) * 1024 || 0
}

/** The state, and whether every file that conda noted for its packages is there. */
async function verify(prefix: string, name: string, signal: AbortSignal): Promise<string[]> {
  const path = environmentPath(prefix, name)
  const state = await lookAt(prefix, name)
  if (state === 'missing') return [`there is no environment ${name}`]
  if (state === 'half-made')
    return ['it was cut off while it was made; it is not used, and the next job makes it again']
  if (state === 'no-environment') return ['it is no whole conda environment: it has no conda-meta/history']
  const meta = join(path, 'conda-meta')
  const problems: string[] = []
  const records = (await readdir(meta)).filter((file) => file.endsWith('.json'))
  if (records.length === 0) problems.push('it has no packages')
  for (const record of records) {
    signal.throwIfAborted()
    const files = await filesOf(join(meta, record))
    if (files === undefined) problems.push(`its record ${record} cannot be read`)
    else problems.push(...(await missingFiles(path, record.replace(/\.json$/, ''), files)))
  }
  return problems
}

async function filesOf(record: string): Promise<string[] | undefined> {
  try {
    const { files } = JSON.parse(await readFile(record, 'utf8')) as { files?: unknown }
    return Array.isArray(files) ? files.map(String) : undefined
  } catch {
    return undefined
  }
}

async function missingFiles(path: string, packageName: string, files: readonly string[]): Promise<string[]> {
  const limit = createLimit(32)
  const missing = await Promise.all(
    files.map((file) => limit(async () => ((await isThere(join(path, file))) ? [] : [file]))),
  )
  const [first, ...others] = missing.flat()
  if (first === undefined) return []
  const more = others.length > 0 ? ` and ${others.length} more` : ''
  return [`of ${packageName} these files are gone: ${first}${more}`]
}

async function remove(prefix: string, names: readonly string[], signal: AbortSignal): Promise<void> {
  if (names.length === 0) return tidyAtStart(prefix, silentLogger, signal)
  await makeDirectories(notesDirectory(prefix))
  const lock = await lockFile(lockOf(prefix), {
    timeoutMs: REMOVE_LOCK_TIMEOUT_MS,
    signal,
  }).catch(async (error: unknown) => {
    if (!(error instanceof LockBusy)) throw error
    throw new MagnetarError(
      'CONDA_FAILED',
      `nothing is removed while an environment is being made in ${prefix}, by ${await nameHolder(prefix)}`,
      {
        fix: 'Run the command again when that is done; "magnetar deps list" shows it.',
      },
    )
  })
  try {
    // What another user left cannot be removed: no reason to remove nothing else.
    await tidy(prefix).catch(() => {})
    for (const name of names) {
      if (!isOfTool(name) || name.includes('/')) throw new Error(`${name} is no environment of a tool`)
      await removeEnvironment(prefix, name, signal)
    }
  } finally {
    await lock.release()
  }
  // Notes on environments that somebody else removed.
  for (const note of await listDirectory(notesDirectory(prefix))) {
    const name = /^(.*)\.(made|used)$/.exec(note)?.[1]
    if (name !== undefined && !(await isThere(environmentPath(prefix, name))))
      await rm(join(notesDirectory(prefix), note), { force: true })
  }
}
