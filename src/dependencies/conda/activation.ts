import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteForShell as quote } from '../../lib/shell.js'
import { isThere } from './environment.js'

/** The environment as conda's own activation would set it, read once so that the job starts no process for it. */
export interface Activation {
  readonly environment: string
  /** Root of the Conda: its condabin is on the PATH of a job too. */
  readonly prefix: string
  readonly hasCondabin: boolean
  readonly hasConda: boolean
  readonly variables: readonly (readonly [name: string, value: string])[]
  /** etc/conda/activate.d/*.sh, in conda's order. */
  readonly scripts: readonly string[]
}

/** Variables that conda sets for an environment are in these files; this value means: not set. */
const UNSET = '***unset***'

/** Reads what activating an environment does (conda/activate.py: _get_environment_env_vars, _get_activate_scripts). */
export async function readActivation(prefix: string, environment: string): Promise<Activation> {
  const packageVariables = join(environment, 'etc', 'conda', 'env_vars.d')
  const files = (await namesIn(packageVariables, '.json')).map((name) => join(packageVariables, name))
  const variables = new Map<string, string>()
  for (const file of files) addVariables(variables, await readJson(file))
  const state = (await readJson(join(environment, 'conda-meta', 'state'))) as
    | { env_vars?: unknown }
    | undefined
  addVariables(variables, state?.env_vars)
  const scripts = join(environment, 'etc', 'conda', 'activate.d')
  return {
    environment,
    prefix,
    hasCondabin: await isThere(join(prefix, 'condabin')),
    hasConda: await isThere(join(prefix, 'bin', 'conda')),
    variables: [...variables],
    scripts: (await namesIn(scripts, '.sh')).map((name) => join(scripts, name)),
  }
}

/**
 * Lines for the job script: what `. PREFIX/bin/activate ENVIRONMENT` does in effect, in builtins of bash. With `stack`, what is active
 * stays on the PATH behind it. Where the environment is gone: a sentence on standard error, and the script ends with 1.
 * `logFile`: where the scripts of packages write; tools that write to standard error count as failed for some tools of Galaxy.
 */
export function activationLines(
  activation: Activation,
  options: { logFile: string; stack: boolean },
): string[] {
  const { environment, prefix, hasCondabin, hasConda, variables, scripts } = activation
  const [env, bin] = [quote(environment), quote(join(environment, 'bin'))]
  const condabin = hasCondabin ? quote(join(prefix, 'condabin')) : undefined
  return [
    // Active already: the job's environment may come from a shell in which it is.
    `if [ "\${CONDA_PREFIX-}" != ${env} ] || [[ ":$PATH:" != *:${bin}:* ]]; then`,
    // A shared file system shows what was just made a little later on another host.
    `for _magnetar_conda_at in 1 2 4 0; do [ ! -e ${quote(join(environment, 'conda-meta', 'history'))} ] || break`,
    `[ "$_magnetar_conda_at" = 0 ] || { sleep "$_magnetar_conda_at"; continue; }`,
    `printf 'magnetar: the conda environment %s is not there on %s: was it removed, or is its file system not mounted?\\n' ${env} "\${HOSTNAME:-this host}" >&2`,
    'exit 1; done',
    '_magnetar_conda_flags=$-; set +eu',
    ...(options.stack ? [] : deactivation()),
    ...pathLines(bin, condabin),
    'CONDA_SHLVL="${CONDA_SHLVL:-0}"',
    '[ "$CONDA_SHLVL" -le 0 ] 2>/dev/null || export "CONDA_PREFIX_$CONDA_SHLVL=${CONDA_PREFIX-}"',
    'export CONDA_SHLVL=$((CONDA_SHLVL + 1))',
    `export CONDA_PREFIX=${env} CONDA_DEFAULT_ENV=${env} CONDA_PROMPT_MODIFIER=${quote(`(${environment}) `)}`,
    ...(hasConda
      ? [
          `export CONDA_EXE=${quote(join(prefix, 'bin', 'conda'))} CONDA_PYTHON_EXE=${quote(join(prefix, 'bin', 'python'))}`,
        ]
      : []),
    ...variables.map(([name, value]) => `export ${name}=${quote(value)}`),
    ...scriptLines(scripts, options.logFile),
    'hash -r',
    'case $_magnetar_conda_flags in *u*) set -u;; esac; case $_magnetar_conda_flags in *e*) set -e;; esac',
    'unset -v _magnetar_conda_flags _magnetar_conda_at; fi',
  ]
}

/** Another environment that is active gives way: its scripts are run, and its bin leaves the PATH. */
function deactivation(): string[] {
  return [
    'if [ -n "${CONDA_PREFIX-}" ]; then',
    'for _magnetar_conda_at in "$CONDA_PREFIX"/etc/conda/deactivate.d/*.sh; do',
    '[ ! -f "$_magnetar_conda_at" ] || . "$_magnetar_conda_at" >/dev/null 2>&1; done',
    'PATH=":$PATH:"; PATH="${PATH//":$CONDA_PREFIX/bin:"/:}"; PATH="${PATH#:}"; PATH="${PATH%:}"; fi',
  ]
}

function pathLines(bin: string, condabin: string | undefined): string[] {
  if (condabin === undefined) return [`export PATH=${bin}"\${PATH:+:$PATH}"`]
  return [
    `[[ ":$PATH:" == *:${condabin}:* ]] || PATH=${condabin}"\${PATH:+:$PATH}"`,
    `export PATH=${bin}"\${PATH:+:$PATH}"`,
  ]
}

/** Their exit status does not count, as in conda. */
function scriptLines(scripts: readonly string[], logFile: string): string[] {
  if (scripts.length === 0) return []
  return [
    `_magnetar_conda_at=${quote(logFile)}; { : >> "$_magnetar_conda_at"; } 2>/dev/null || _magnetar_conda_at=/dev/null`,
    ...scripts.map((script) => `{ . ${quote(script)}; } >> "$_magnetar_conda_at" 2>&1`),
  ]
}

async function namesIn(directory: string, end: string): Promise<string[]> {
  const names = await readdir(directory).catch((): string[] => [])
  return names.filter((name) => name.endsWith(end)).sort()
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch {
    // Not there, as in most environments, or not readable for conda either.
    return undefined
  }
}

function addVariables(variables: Map<string, string>, found: unknown): void {
  if (typeof found !== 'object' || found === null) return
  for (const [name, value] of Object.entries(found)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || typeof value !== 'string') continue
    if (value === UNSET) variables.delete(name)
    else variables.set(name, value)
  }
}
