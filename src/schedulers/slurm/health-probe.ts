/** What `magnetar doctor` asks Slurm: are its commands here, does munge work, is a controller there, what does it say. */
import { readFile } from 'node:fs/promises'
import { CommandNotStarted, runCommand } from '../../lib/exec.js'
import { findProgram } from '../../lib/find-program.js'
import { FIELD_SEPARATOR } from './command.js'
import { firstError } from './down.js'
import { slurmEnvironment } from './environment.js'
import { buildVersion, parseVersion } from './probe.js'
import { buildPing, parsePing } from './scontrol-ping.js'

export interface SlurmPartition {
  readonly name: string
  readonly isDefault: boolean
  /** up, down, drain, inact */
  readonly availability: string
  readonly nodes: number
  /** Nodes that take jobs, now or when they are free. */
  readonly usable: number
}

export interface SlurmHealth {
  /** Commands that are not on this machine. */
  readonly missing: readonly string[]
  /** undefined: it works, or is not what this Slurm uses. */
  readonly munge: { readonly why: string; readonly installed: boolean } | undefined
  readonly version: string | undefined
  /** `why` is what scontrol ping says. */
  readonly controller: { readonly up: boolean; readonly why: string; readonly host: string | undefined }
  /** Of `scontrol show config`; undefined: no answer. */
  readonly settings: SlurmSettings | undefined
  readonly partitions: readonly SlurmPartition[] | undefined
}

export interface SlurmSettings {
  readonly minJobAgeS: number | undefined
  /** slurmdbd keeps what the controller forgets. */
  readonly hasAccounting: boolean
  /** The controller's clock less ours, ms; of whole seconds. */
  readonly clockOffMs: number | undefined
}

const COMMANDS = ['sbatch', 'squeue', 'scancel', 'scontrol', 'sinfo'] as const
const TIMEOUT_MS = 5000
/** Where the commands look themselves, configless nodes last. */
const CONF_FILES = ['/etc/slurm/slurm.conf', '/etc/slurm-llnl/slurm.conf', '/run/slurm/conf/slurm.conf']

/** Asks all at once where it can; never throws for what Slurm does. @throws the signal's reason when aborted */
export async function examineSlurm(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<SlurmHealth> {
  const run = async (program: string, args: readonly string[]): Promise<Answer> => {
    const options = { timeoutMs: TIMEOUT_MS, signal, env: { ...slurmEnvironment(env), LC_ALL: 'C' } }
    try {
      const { code, stdout, stderr, timedOut } = await runCommand(program, args, options)
      if (timedOut) return { ok: false, stdout: '', why: `${program} did not answer within 5 s` }
      return { ok: code === 0, stdout, why: firstError(`${stderr}\n${stdout}`) }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof CommandNotStarted)) throw error
      return { ok: false, stdout: '', why: error.message }
    }
  }
  const [found, munge, ping, version] = await Promise.all([
    Promise.all(COMMANDS.map(async (name) => ((await findProgram(name, env.PATH)) ? [] : [name]))),
    askMunge(env, run),
    run(...words(buildPing())),
    run(...words(buildVersion())),
  ])
  const up = parsePing({ ...NO_RESULT, stdout: ping.stdout })
  // Without either of them the others take their 10 s and say no more.
  const [settings, partitions] =
    up && munge === undefined
      ? await Promise.all([
          run('scontrol', ['show', 'config']),
          run('sinfo', ['-h', '-o', ['%P', '%a', '%D', '%T'].join(FIELD_SEPARATOR)]),
        ])
      : []
  return {
    missing: found.flat(),
    munge,
    version: version.ok ? parseVersion({ ...NO_RESULT, stdout: version.stdout }) : undefined,
    controller: {
      up,
      why: ping.stdout.split('\n')[0]?.trim() || ping.why,
      host: /^Slurmctld\(primary[^)]*\) at (\S+)/.exec(ping.stdout)?.[1],
    },
    settings: settings?.ok ? parseSettings(settings.stdout, Date.now()) : undefined,
    partitions: partitions?.ok ? parsePartitions(partitions.stdout) : undefined,
  }
}

interface Answer {
  readonly ok: boolean
  readonly stdout: string
  readonly why: string
}

const NO_RESULT = { code: 0, signal: null, stdout: '', stderr: '', timedOut: false, truncated: false }

function words({ program, args }: { program: string; args: readonly string[] }): [string, readonly string[]] {
  return [program, args]
}

async function askMunge(
  env: NodeJS.ProcessEnv,
  run: (program: string, args: readonly string[]) => Promise<Answer>,
): Promise<SlurmHealth['munge']> {
  const { type, socket } = readAuth(await readConf(env))
  if (type !== undefined && type !== 'auth/munge') return undefined
  const answer = await run('munge', ['-n', ...(socket === undefined ? [] : ['-S', socket])])
  if (answer.ok) return undefined
  return {
    why: answer.why.replace(/^munge: (Error: )?/, '').replaceAll('\\"', '"'),
    installed: !/not installed/.test(answer.why),
  }
}

async function readConf(env: NodeJS.ProcessEnv): Promise<string> {
  for (const file of env.SLURM_CONF ? [env.SLURM_CONF] : CONF_FILES) {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  return ''
}

/** AuthType and the socket in AuthInfo of a slurm.conf, whose keys have no case (man slurm.conf). */
export function readAuth(conf: string): { type: string | undefined; socket: string | undefined } {
  const value = (key: string): string | undefined =>
    new RegExp(`^\\s*${key}\\s*=\\s*([^\\s#]+)`, 'im').exec(conf)?.[1]
  return {
    type: value('AuthType')?.toLowerCase(),
    socket: /(?:^|,)socket=([^,]+)/.exec(value('AuthInfo') ?? '')?.[1],
  }
}

/** `scontrol show config`: its first line has the controller's time, in our time zone. */
export function parseSettings(stdout: string, nowMs: number): SlurmSettings {
  const age = /^MinJobAge\s*=\s*(\d+) sec/m.exec(stdout)?.[1]
  const storage = /^AccountingStorageType\s*=\s*(\S+)/m.exec(stdout)?.[1] ?? ''
  const asOf = Date.parse(/^Configuration data as of (\S+)/m.exec(stdout)?.[1] ?? '')
  return {
    minJobAgeS: age === undefined ? undefined : Number(age),
    hasAccounting: storage.endsWith('/slurmdbd'),
    // The middle of the second that it stands for.
    clockOffMs: Number.isNaN(asOf) ? undefined : asOf + 500 - nowMs,
  }
}

/** States of sinfo(1) in which a node takes jobs sooner or later; a mark behind them says more (`*`: no answer). */
const USABLE =
  /^(idle|mixed|allocated|completing|planned|reserved|powering_up|powered_down|powering_down)[~#!%$@^+-]?$/

/** One line per partition and state of nodes. */
export function parsePartitions(stdout: string): SlurmPartition[] {
  const found = new Map<string, SlurmPartition>()
  for (const line of stdout.split('\n')) {
    const [partition = '', availability = '', count = '0', state = ''] = line.split(FIELD_SEPARATOR)
    const name = partition.replace(/\*$/, '')
    if (name === '') continue
    const before = found.get(name)
    const nodes = Number(count)
    found.set(name, {
      name,
      isDefault: partition.endsWith('*'),
      availability,
      nodes: (before?.nodes ?? 0) + nodes,
      usable: (before?.usable ?? 0) + (USABLE.test(state) ? nodes : 0),
    })
  }
  return [...found.values()]
}
