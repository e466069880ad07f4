import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodePaths } from '../types.js'

/** `cluster`: jobs run elsewhere, so the server can be confined; `local`: they run inside of the unit and are confined with it. */
export type SandboxVariant = 'cluster' | 'local'

export interface UnitTemplates {
  readonly unit: string
  readonly sandboxes: Readonly<Record<SandboxVariant, string>>
}

export interface UnitWish {
  readonly paths: Pick<NodePaths, 'prefix' | 'bin' | 'etc' | 'var' | 'serviceName'>
  readonly user: string
  readonly group: string
  readonly variant: SandboxVariant
  /** What the server of the `cluster` variant may write to, besides var. */
  readonly writable: readonly string[]
  /** Ports below 1024 need a capability. */
  readonly port: number
  readonly usesSlurm: boolean
  /** "252" */
  readonly systemdVersion: string
}

/** Of `systemd-notify`: before it, its message got lost when it ended before systemd had read it. */
const RELIABLE_NOTIFY_VERSION = 246
const FIRST_OPEN_PORT = 1024
const PORT_CAPABILITY = 'CAP_NET_BIND_SERVICE'
/** systemd's own default. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Reads `templates/systemd` of the package at `root`. */
export async function readUnitTemplates(root: string, signal: AbortSignal): Promise<UnitTemplates> {
  const [unit = '', cluster = '', local = ''] = await Promise.all(
    ['pulsar.service', 'sandbox-cluster.conf', 'sandbox-local.conf'].map((name) =>
      readFile(join(root, 'templates', 'systemd', name), { encoding: 'utf8', signal }),
    ),
  )
  return { unit, sandboxes: { cluster, local } }
}

/** The text of the unit. Pure. */
export function renderUnit({ unit, sandboxes }: UnitTemplates, wish: UnitWish): string {
  const { paths, user, group, variant, usesSlurm, systemdVersion } = wish
  const capability = wish.port > 0 && wish.port < FIRST_OPEN_PORT ? PORT_CAPABILITY : ''
  const environment = { VIRTUAL_ENV: paths.prefix, PATH: `${paths.bin}:${SYSTEM_PATH}` }
  const command = [join(paths.bin, 'pulsar'), '--mode', 'uwsgi', '--config', paths.etc]
  const values: Readonly<Record<string, string>> = {
    NAME: paths.serviceName,
    AFTER: usesSlurm ? ' munge.service slurmctld.service' : '',
    TYPE:
      Number(systemdVersion) >= RELIABLE_NOTIFY_VERSION
        ? '# The message comes from systemd-notify, which the server starts.\nType=notify\nNotifyAccess=all'
        : 'Type=simple',
    USER: escapeUnitText(user),
    GROUP: escapeUnitText(group),
    AMBIENT: capability === '' ? '' : `AmbientCapabilities=${capability}\n`,
    ETC_DIRECTORY: escapeUnitText(paths.etc),
    ENVIRONMENT: Object.entries(environment)
      .map(([name, value]) => quoteUnitWord(`${name}=${value}`))
      .join(' '),
    // Of the program itself systemd expands no variables.
    COMMAND: command
      .map((word, at) => quoteUnitWord(at === 0 ? word : word.replaceAll('$', '$$$$')))
      .join(' '),
    CAPABILITIES: capability,
    WRITABLE: [paths.var, ...wish.writable.map((path) => `-${path}`)].map(quoteUnitWord).join(' '),
  }
  return `${unit.trimEnd()}\n`
    .replace('@SANDBOX@', () => sandboxes[variant].trim())
    .replace(/@([A-Z_]+)@/g, (whole, name: string) => values[name] ?? whole)
}

/** Text that stands alone on its line: only % means something there. */
function escapeUnitText(text: string): string {
  return text.replaceAll('%', '%%')
}

/** A word of a line that systemd splits (systemd.syntax(7), Quoting). */
function quoteUnitWord(word: string): string {
  const escaped = escapeUnitText(word).replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  return /^[\w@%+=:,./$-]+$/.test(escaped) ? escaped : `"${escaped}"`
}
