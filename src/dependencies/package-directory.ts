import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { quoteForShell } from '../lib/shell.js'
import { textOption } from './options.js'
import type { ResolverContext, ResolverSpec } from './types.js'

/** Where the resolvers of directory trees look: their own `base_path`, else tool_dependency_dir. Absolute. */
export function basePath(spec: ResolverSpec, context: ResolverContext): string {
  return resolve(context.cwd, textOption(spec, 'base_path') ?? context.baseDirectory)
}

/**
 * `base` and the components; undefined when one of them is no plain file name: names and versions come from the network, and must not
 * lead to another directory.
 */
export function pathBelow(base: string, ...components: readonly string[]): string | undefined {
  const isPlain = (name: string): boolean =>
    name !== '' && name !== '.' && name !== '..' && !name.includes('/')
  return components.every(isPlain) ? join(base, ...components) : undefined
}

/**
 * Shell lines for the package in `path` (galaxy_packages.py: _galaxy_package_dep, shell_commands): its env.sh, else its bin; undefined
 * when it has neither. The machine that runs the job may not see the directory: it says so then.
 */
export async function packageLines(path: string, type: string): Promise<readonly string[] | undefined> {
  const script = join(path, 'env.sh')
  if (await exists(script)) return [...baseLines(path), sourceLine(script)]
  const programs = join(path, 'bin')
  if (type !== 'package' || !(await exists(programs))) return undefined
  return [
    ...baseLines(path),
    `[ -d ${quoteForShell(programs)} ] || { ${failure(programs)}; }`,
    `PATH=${quoteForShell(programs)}"\${PATH:+:$PATH}"; export PATH`,
  ]
}

function baseLines(path: string): string[] {
  return [`PACKAGE_BASE=${quoteForShell(path)}; export PACKAGE_BASE`]
}

function sourceLine(script: string): string {
  return `if [ -r ${quoteForShell(script)} ]; then . ${quoteForShell(script)}; else ${failure(script)}; fi`
}

function failure(path: string): string {
  return `printf '%s\\n' ${quoteForShell(`${path}, which the tool requires, cannot be read by this job on`)}" $HOSTNAME" >&2; exit 1`
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
