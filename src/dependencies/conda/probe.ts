/** What `magnetar doctor` looks at of a node's Conda. Read only; nothing of it is run as root, since jobs may change it. */
import { access, constants, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../lib/errors.js'
import { runCommand } from '../../lib/exec.js'
import { findProgram } from '../../lib/find-program.js'
import { listDirectory } from '../../lib/fs.js'
import type { ResolverSpec } from '../types.js'
import { lookAt, notesDirectory } from './environment.js'
import { readSettings } from './settings.js'

export interface CondaHealth {
  readonly prefix: string
  readonly exec: string
  readonly autoInit: boolean
  /** The resolver itself says so, which goes before conda_auto_init of app.yml. */
  readonly isAutoInitItsOwn: boolean
  /** `missing`: no such program; `broken`: it does not run. */
  readonly state: 'works' | 'missing' | 'broken'
  /** Its version, or why it does not run. */
  readonly detail: string
  /** Environments that were cut off while they were made, by name. */
  readonly halfMade: readonly string[]
}

interface CondaConfig {
  readonly baseDirectory: string
  readonly resolvers: readonly ResolverSpec[]
  readonly options: Readonly<Record<string, unknown>>
}

export interface CondaProbeOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** The command line that runs another as the user of the node; undefined: this account may not. */
  readonly as: (argv: readonly string[]) => readonly string[] | undefined
  readonly signal: AbortSignal
}

const VERSION_TIMEOUT_MS = 6000

/** The Conda of the first conda resolver; undefined: the node has none. @throws MagnetarError CONFIG_INVALID; the signal's reason */
export async function examineConda(
  config: CondaConfig | undefined,
  options: CondaProbeOptions,
): Promise<CondaHealth | undefined> {
  const spec = config?.resolvers.find(({ type }) => type === 'conda')
  if (!config || !spec) return undefined
  const { cwd, env } = options
  const nodeOption = (name: string): unknown => config.options[name]
  const settings = readSettings(spec, { baseDirectory: config.baseDirectory, nodeOption, cwd, env })
  const { prefix, autoInit } = settings
  const exec = await findExec(settings.exec, prefix, env)
  const isAutoInitItsOwn = Object.hasOwn(spec.options, 'auto_init')
  return {
    prefix,
    exec,
    autoInit,
    isAutoInitItsOwn,
    ...(await tryExec(exec, options)),
    halfMade: await findHalfMade(prefix),
  }
}

async function findExec(exec: string, prefix: string, env: NodeJS.ProcessEnv): Promise<string> {
  if (exec.includes('/')) return exec
  return (await findProgram(exec, env.PATH)) ?? join(prefix, 'bin', 'conda')
}

async function tryExec(
  exec: string,
  { as, env, signal }: CondaProbeOptions,
): Promise<Pick<CondaHealth, 'state' | 'detail'>> {
  const isThere = await access(exec, constants.F_OK).then(
    () => true,
    () => false,
  )
  if (!isThere) return { state: 'missing', detail: `there is no ${exec}` }
  const [program, ...args] = as([exec, '--version']) ?? []
  if (program === undefined) return { state: 'works', detail: 'there; not tried as another user' }
  try {
    const result = await runCommand(program, args, {
      timeoutMs: VERSION_TIMEOUT_MS,
      signal,
      cwd: '/',
      env: { ...env, HOME: '/' },
    })
    if (result.timedOut) return { state: 'broken', detail: `no answer within ${VERSION_TIMEOUT_MS / 1000} s` }
    const version = /\d+\.\d+(\.\d+)?/.exec(result.stdout)?.[0]
    if (result.code === 0 && version !== undefined) return { state: 'works', detail: version }
    const why = result.stderr.trim().split('\n')[0] || `it ended with ${result.code}`
    return { state: 'broken', detail: why }
  } catch (error) {
    signal.throwIfAborted()
    return { state: 'broken', detail: messageOf(error) }
  }
}

/** Those with our mark of a beginning, unless the mark's process still lives: then one is being made. */
async function findHalfMade(prefix: string): Promise<string[]> {
  const notes = await listDirectory(notesDirectory(prefix)).catch((): string[] => [])
  const names = notes
    .filter((name) => name.endsWith('.creating'))
    .map((name) => name.replace(/\.creating$/, ''))
  const found: string[] = []
  for (const name of names) {
    const isMade = (await lookAt(prefix, name)) !== 'half-made'
    if (isMade || (await isBusy(join(notesDirectory(prefix), `${name}.creating`)))) continue
    found.push(name)
  }
  return found
}

/** The mark holds the pid of whoever makes the environment. */
async function isBusy(mark: string): Promise<boolean> {
  const pid = Number((await readFile(mark, 'utf8').catch(() => '')).trim())
  if (!Number.isInteger(pid) || pid <= 0) return false
  return access(`/proc/${pid}`).then(
    () => true,
    () => false,
  )
}
