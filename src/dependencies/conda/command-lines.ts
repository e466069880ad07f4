/** The command lines of conda, mamba and micromamba; pure. Source: galaxy.tool_util.deps.conda_util (exec_create, exec_install). */
import { type CondaTool, isAtLeast } from './conda-tool.js'
import type { CondaSettings } from './settings.js'

interface Wanted {
  readonly environment: string
  readonly specs: readonly string[]
  /** Without it a package of a channel further down may be taken when the first channel has it too. */
  readonly strict: boolean
}

/**
 * `create …` into a path. Galaxy says `--name`; the path is the same where conda is that of the prefix, and is the right one also
 * where another conda or a condarc has its environments elsewhere.
 */
export function createArguments(
  settings: CondaSettings,
  tool: CondaTool,
  { environment, specs, strict }: Wanted,
): readonly string[] {
  const options = [
    ...optionsOf(settings, tool, { strict, local: true }),
    ...(settings.copy ? [copyFlag(tool)] : []),
  ]
  return [
    'create',
    ...debugOf(settings, tool),
    '-y',
    '--quiet',
    ...options,
    '--prefix',
    environment,
    ...specs,
  ]
}

/** `install …` into the base environment. */
export function installArguments(
  settings: CondaSettings,
  tool: CondaTool,
  specs: readonly string[],
): readonly string[] {
  const options = optionsOf(settings, tool, { strict: true, local: false })
  return [
    'install',
    ...debugOf(settings, tool),
    '-y',
    '--quiet',
    ...options,
    '--prefix',
    settings.prefix,
    ...specs,
  ]
}

/** Takes what no environment uses out of the package cache; a package that was cut off while it was unpacked is among that. */
export function cleanArguments(tool: CondaTool): readonly string[] {
  return ['clean', ...(tool.kind === 'mamba' ? [] : ['--quiet']), '--packages', '--tarballs', '-y']
}

/** Whether the tool knows strict channel priority at all. */
export function knowsStrict(tool: CondaTool): boolean {
  return tool.kind === 'mamba' || isAtLeast(tool.version, '4.7.5')
}

function debugOf({ debug }: CondaSettings, { kind }: CondaTool): readonly string[] {
  if (!debug) return []
  return [kind === 'mamba' ? '--verbose' : '--debug']
}

function copyFlag({ kind }: CondaTool): string {
  return kind === 'mamba' ? '--always-copy' : '--copy'
}

function optionsOf(
  settings: CondaSettings,
  tool: CondaTool,
  { strict, local }: { readonly strict: boolean; readonly local: boolean },
): readonly string[] {
  const channels = settings.channels.flatMap((channel) => ['--channel', channel])
  return [
    ...(strict && knowsStrict(tool) ? ['--strict-channel-priority'] : []),
    ...(tool.kind === 'mamba' ? ['--root-prefix', settings.prefix] : []),
    ...(local && settings.useLocal && tool.kind === 'conda' ? ['--use-local'] : []),
    ...solverOf(tool),
    ...(channels.length > 0 ? ['--override-channels', ...channels] : []),
  ]
}

function solverOf({ kind, version, hasLibmambaSolver }: CondaTool): readonly string[] {
  if (kind === 'mamba' || !hasLibmambaSolver || !isAtLeast(version, '4.12')) return []
  return [isAtLeast(version, '22.11') ? '--solver' : '--experimental-solver', 'libmamba']
}
