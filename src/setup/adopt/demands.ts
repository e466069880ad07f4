/** What has to be so before a Python Pulsar's service is given another command. Everything is only looked at. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FEATURES } from '../../config/features.js'
import { loadConfig } from '../../config/load.js'
import type { NodeConfig } from '../../config/types.js'
import { lookUpUser, type User } from '../../lib/accounts.js'
import { MagnetarError } from '../../lib/errors.js'
import { runCommand } from '../../lib/exec.js'
import type { Facts } from '../types.js'
import { asUser } from './as-user.js'
import { findConfigFiles } from './config-files.js'
import type { PulsarService } from './find-service.js'
import { nearest } from './replaceable.js'

/** Findings of a look beforehand. */
export interface Demands {
  /** Whatever is asked for, it cannot work. */
  readonly obstacles: readonly string[]
  /** It would work, but without something that the site has now: only with --force. */
  readonly losses: readonly string[]
  readonly notes: readonly string[]
}

/** What a site may rely on, so that its absence is no detail: jobs would not come, or not run, or come from others. */
const GRAVE = ['message_queue', 'condor', 'cli', 'coexecution', 'toolbox', 'user_auth']
const TEST_TIMEOUT_MS = 20_000

/** The configuration as the service starts with it. @throws MagnetarError CONFIG_INVALID, CONFIG_UNREADABLE, with all that is wrong */
export function loadServiceConfig(
  { definition, pulsar }: PulsarService,
  signal: AbortSignal,
): Promise<NodeConfig> {
  const { directory: cwd, env } = definition
  return loadConfig({ ...pulsar.load, env, cwd, signal })
}

/** What the configuration asks for and is not served. Pure. */
export function demandsOfConfig(config: NodeConfig, facts: Pick<Facts, 'slurm'>): Demands {
  const sentences: Readonly<Record<string, string>> = FEATURES
  const drmaa = facts.slurm.found ? [] : ['drmaa']
  const grave = [...GRAVE, ...drmaa].flatMap((name) => sentences[name] ?? [])
  const isGrave = (text: string): boolean => grave.some((sentence) => text.includes(sentence))
  const { warnings: texts } = config
  return { obstacles: [], losses: texts.filter(isGrave), notes: texts.filter((text) => !isGrave(text)) }
}

/**
 * What changes for a site by a limit that the Python Pulsar has and does not keep: Pulsar 0.16.0 runs all jobs of queued_python at once
 * (pulsar/managers/queued.py:run_next passes `montior=`, so that its workers do not wait for the job). Pure.
 */
export function demandsOfLimits(
  { managers, configDirectory }: Pick<NodeConfig, 'managers' | 'configDirectory'>,
  running: number,
): Demands {
  const notes = managers.flatMap(({ name, type, numConcurrentJobs: limit }) => {
    // One at a time is what a file without the key says, and hardly anybody's wish.
    if (type !== 'queued_python' || limit === 0 || (limit > 1 && running <= limit)) return []
    const now = `${running} ${running === 1 ? 'is' : 'are'} queued or running now`
    return [
      `manager ${name} runs ${limit} ${limit === 1 ? 'job' : 'jobs'} at a time (num_concurrent_jobs${limit === 1 ? ', 1 where it is not set' : ''}; ${now}), a limit that Pulsar 0.16.0 does not keep: there all run at once. To keep that, in the manager's part of ${join(configDirectory, 'app.yml')}, a number beyond need: num_concurrent_jobs: 1000`,
    ]
  })
  return { obstacles: [], losses: [], notes }
}

/** Whether the service's user can read the configuration, write where jobs are, and reach the program. */
export async function demandsOfUser(
  service: PulsarService,
  config: NodeConfig,
  prefix: string,
  signal: AbortSignal,
): Promise<Demands> {
  const { definition, pulsar } = service
  const user = definition.user === undefined ? undefined : await lookUpUser(definition.user, signal)
  if (definition.user !== undefined && user === undefined)
    return only(`${definition.file} runs it as ${definition.user}, and there is no such user`)
  const wanted = [
    ['-r', pulsar.configDirectory],
    ...(await findConfigFiles(service, signal)).map((file) => ['-r', file] as const),
    ['-w', await nearest(config.stagingDirectory)],
    ...(config.persistenceDirectory === null
      ? []
      : [['-w', await nearest(config.persistenceDirectory)] as const]),
    ['-x', await nearest(prefix)],
  ] as const
  const obstacles: string[] = []
  for (const [flag, path] of wanted) {
    if (await mayUse(user, flag, path, signal)) continue
    const verb = { '-r': 'read', '-w': 'write to', '-x': 'enter' }[flag]
    obstacles.push(`the service's user ${user?.name ?? 'root'} may not ${verb} ${path}`)
  }
  return { obstacles, losses: [], notes: [] }
}

/** Throws what `magnetar serve` would refuse to start with, as a user of that number. */
export type RefuseStart = (config: NodeConfig, uid: number | undefined) => Promise<void>

/** What is to be added for a server that starts as this one did: nobody is to find that out when the service is stopped. */
const START_FIXES: Readonly<Record<string, string>> = {
  TOKEN_MISSING:
    'private_token: "…", and give it to Galaxy\'s destination; or, where a firewall or proxy lets only Galaxy through, allow_without_token: true',
  ROOT_REFUSED:
    'allow_root: true; or better have the service run it as a user of its own, to whom its directories belong',
}

/** Whether the server will start with this configuration, as the service's user. */
export async function demandsOfStart(
  service: PulsarService,
  config: NodeConfig,
  pid: number | undefined,
  refuse: RefuseStart,
  signal: AbortSignal,
): Promise<Demands> {
  const { definition } = service
  const named = definition.user === undefined ? undefined : await lookUpUser(definition.user, signal)
  const uid = named?.uid ?? (definition.kind === 'systemd' ? 0 : await managerUser(pid))
  const obstacles: string[] = []
  // One rule hides the other.
  for (const each of [
    { ...config, allowWithoutToken: true },
    { ...config, allowRoot: true },
  ]) {
    try {
      await refuse(each, uid)
    } catch (error) {
      if (!(error instanceof MagnetarError)) throw error
      const app = join(config.configDirectory, 'app.yml')
      obstacles.push(`${error.message}. Add to ${app}: ${START_FIXES[error.code] ?? error.fix}`)
    }
  }
  return { obstacles, losses: [], notes: [] }
}

/** Who a program of Supervisor without `user` runs as: whoever runs Supervisor, which is its parent. */
async function managerUser(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const parent = /^PPid:\s*(\d+)/m.exec(status)?.[1]
  const uid = await stat(`/proc/${parent}`).then(
    (found) => found.uid,
    () => undefined,
  )
  return uid ?? process.getuid?.()
}

async function mayUse(
  user: User | undefined,
  flag: string,
  path: string,
  signal: AbortSignal,
): Promise<boolean> {
  const [program, ...args] = asUser(user, ['test', flag, path])
  return (await runCommand(program, args, { timeoutMs: TEST_TIMEOUT_MS, signal, cwd: '/' })).code === 0
}

export function only(obstacle: string): Demands {
  return { obstacles: [obstacle], losses: [], notes: [] }
}
