import { join, normalize, resolve } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import type { ResolverContext, ResolverSpec } from '../types.js'

/** What the options of a conda resolver come to (reference: galaxy.tool_util.deps.resolvers.conda.CondaDependencyResolver.__init__). */
export interface CondaSettings {
  /** Absolute; environments are below `envs` of it. */
  readonly prefix: string
  /** Absolute, or a name on PATH. */
  readonly exec: string
  /** Where conda's own configuration is read from; need not exist. */
  readonly condarc: string
  readonly channels: readonly string[]
  readonly autoInit: boolean
  readonly autoInstall: boolean
  readonly copy: boolean
  readonly useLocal: boolean
  readonly debug: boolean
  readonly versionless: boolean
  readonly readOnly: boolean
  /** Installer for auto_init: an https URL or a file. undefined: Miniforge. */
  readonly installer: string | undefined
  readonly installerSha256: string | undefined
  readonly env: NodeJS.ProcessEnv
}

const DEFAULT_CHANNELS = 'conda-forge,bioconda'

/** @throws MagnetarError CONFIG_INVALID when an option makes no sense */
export function readSettings(spec: ResolverSpec, context: ResolverContext): CondaSettings {
  const own = (name: string): unknown => spec.options[name]
  // Galaxy's get_resolver_option: the resolver's own value goes first, also when that is nothing.
  const option = (name: string): unknown =>
    (Object.hasOwn(spec.options, name) ? own(name) : context.nodeOption(`conda_${name}`)) ?? undefined
  const textOption = (name: string): string | undefined => textOf(option(name), name)
  const flag = (name: string): boolean => isTrue(option(name))

  const prefix = resolve(context.cwd, textOption('prefix') ?? join(context.baseDirectory, '_conda'))
  const exec = textOption('exec')
  const installer = textOption('installer')
  if (installer?.includes('://') && !installer.startsWith('https://'))
    throw invalid('installer', `is ${installer}; a program that is run must come by https or from a file`)
  const sha256 = textOption('installer_sha256')?.toLowerCase()
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256))
    throw invalid('installer_sha256', 'is not the 64 hexadecimal digits of a SHA-256')
  return {
    prefix,
    exec: exec === undefined ? defaultExec(prefix, flag('use_path_exec')) : execOf(exec, context.cwd),
    condarc: resolve(context.cwd, textOption('condarc_override') ?? join(context.baseDirectory, '_condarc')),
    channels: channelsOf(option('ensure_channels')),
    autoInit: flag('auto_init'),
    autoInstall: flag('auto_install'),
    copy: flag('copy_dependencies'),
    useLocal: flag('use_local'),
    debug: flag('debug'),
    versionless: isTrue(own('versionless')),
    readOnly: isTrue(own('read_only')),
    installer:
      installer === undefined || installer.startsWith('https://')
        ? installer
        : resolve(context.cwd, installer),
    installerSha256: sha256,
    env: context.env,
  }
}

function defaultExec(prefix: string, usePath: boolean): string {
  return usePath ? 'conda' : join(prefix, 'bin', 'conda')
}

function execOf(exec: string, cwd: string): string {
  return exec.includes('/') ? resolve(cwd, normalize(exec)) : exec
}

/** A comma list or a list; an empty text is no channel at all: those of the condarc count. */
function channelsOf(value: unknown): readonly string[] {
  const list = Array.isArray(value) ? value.map(String) : String(value ?? DEFAULT_CHANNELS).split(',')
  return list.map((each) => each.trim()).filter((each) => each !== '')
}

/** As galaxy.tool_util.deps.resolvers.conda._string_as_bool: "yes" and "1" are not true. */
function isTrue(value: unknown): boolean {
  return String(value).toLowerCase() === 'true'
}

function textOf(value: unknown, name: string): string | undefined {
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw invalid(name, 'is no text')
}

function invalid(name: string, why: string): MagnetarError {
  return new MagnetarError('CONFIG_INVALID', `the option ${name} of the conda resolver ${why}`, {
    fix: `Correct ${name} in the resolver file, or conda_${name} in app.yml.`,
  })
}
