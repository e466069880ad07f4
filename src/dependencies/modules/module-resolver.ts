import { MagnetarError, messageOf } from '../../lib/errors.js'
import { CommandNotStarted, type CommandResult, runCommand } from '../../lib/exec.js'
import { quoteForShell } from '../../lib/shell.js'
import { nameRequirement } from '../description.js'
import { applyMappings } from '../mapping.js'
import type { Requirement, Resolution, Resolver, ResolverContext, ResolverSpec } from '../types.js'

/** What differs between Environment Modules and Lmod. */
export interface ModuleSystem {
  /** Whether there is this module, by whatever it takes to know. */
  has(name: string, version: string | undefined, signal: AbortSignal): Promise<boolean>
  /** Why nothing can be found at all, with what mends it. */
  readonly broken: string | undefined
  readonly modulePath: string
  /** The command whose output is shell code that loads the module. */
  loadCommand(module: string): readonly string[]
  /** Run after it: its output is shell code as well. */
  readonly afterwards?: readonly string[]
  readonly isVersionless: boolean
  readonly skipsCheck: boolean
}

/** Requirements as modules (resolvers/modules.py, lmod.py): only packages, each by itself. */
export function createModuleResolver(spec: ResolverSpec, system: ModuleSystem): Resolver {
  async function find(requirement: Requirement, signal: AbortSignal): Promise<Resolution[]> {
    const { name, version } = applyMappings(spec.mappings, requirement)
    if (requirement.type !== 'package' || !isModule(name) || !isModule(version ?? name)) return []
    const module = await choose(name, version, signal)
    if (module === undefined) return []
    return [{ requirements: [requirement], shell: loadLines(system, module), what: `module ${module}` }]
  }

  async function choose(
    name: string,
    version: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const full = version === undefined ? name : `${name}/${version}`
    if (system.skipsCheck || (await system.has(name, version, signal))) return full
    return system.isVersionless && (await system.has(name, undefined, signal)) ? name : undefined
  }

  return {
    type: spec.type,
    async prepare(log, signal) {
      if (system.broken !== undefined) return log.warn(`dependency resolver ${spec.type}: ${system.broken}`)
      if (system.skipsCheck) return
      await system.has('', undefined, signal).catch((error: unknown) => {
        if (!signal.aborted) log.warn(`dependency resolver ${spec.type}: ${messageOf(error)}`)
      })
    },
    async resolve({ open, signal }) {
      if (system.broken !== undefined && open.some(({ type }) => type === 'package'))
        throw new MagnetarError('REQUIREMENTS_FAILED', system.broken)
      return (await Promise.all(open.map((each) => find(each, signal)))).flat()
    },
    advise: (requirement) =>
      requirement.type === 'package'
        ? `${nameRequirement(requirement)} is found when a module of that name is in ${system.modulePath}, or a mapping file names another.`
        : undefined,
  }
}

/**
 * Whether it may be given to a module command: with a dash in front it would be an option, with a slash a file anywhere, and Lmod makes shell
 * code of what else stands in a name (8.6 runs what is in backticks), without quotes.
 */
function isModule(word: string): boolean {
  return /^[\p{L}\p{N}_.+@][\p{L}\p{N}_.+@:=,/-]*$/u.test(word) && !word.split('/').includes('..')
}

/** What cannot be loaded stops the job, where the Python server runs the tool without it. */
function loadLines(system: ModuleSystem, module: string): string[] {
  const failed = `{ printf '%s\\n' ${quoteForShell(`module ${module}, which the tool requires, could not be loaded on`)}" $HOSTNAME" >&2; exit 1; }`
  const evaluate = (command: readonly string[]): string =>
    `_magnetar_module=$(${command.map(quoteForShell).join(' ')}) && eval "$_magnetar_module"`
  return [
    `MODULEPATH=${quoteForShell(system.modulePath)}"\${MODULEPATH:+:$MODULEPATH}"; export MODULEPATH`,
    `${evaluate(system.loadCommand(module))} || ${failed}`,
    ...(system.afterwards ? [`${evaluate(system.afterwards)} || ${failed}`] : []),
    'unset _magnetar_module',
  ]
}

const AVAIL_TIMEOUT_MS = 60_000
const AVAIL_MAX_BYTES = 16 * 1024 * 1024

/**
 * What a module command writes to standard error, where lists of modules go. It gets little of this process's environment: modules that
 * were loaded when the server was started are not those of the job.
 * @throws MagnetarError REQUIREMENTS_FAILED when it cannot be run, or does not end; the signal's reason
 */
export async function askModules(
  command: readonly [string, ...string[]],
  modulePath: string,
  context: ResolverContext,
  signal: AbortSignal,
): Promise<string> {
  const [program, ...args] = command
  const { PATH = '/usr/bin:/bin', HOME = '/' } = context.env
  const failed = (why: string): MagnetarError =>
    new MagnetarError('REQUIREMENTS_FAILED', `modules cannot be listed by "${command.join(' ')}": ${why}`)
  try {
    const result = await runCommand(program, args, {
      timeoutMs: AVAIL_TIMEOUT_MS,
      maxOutputBytes: AVAIL_MAX_BYTES,
      cwd: context.cwd,
      env: { PATH, HOME, MODULEPATH: modulePath },
      signal,
    })
    if (result.timedOut) throw failed(`it did not end within ${AVAIL_TIMEOUT_MS / 1000} s`)
    const how = whyUnusable(result)
    if (how !== undefined) throw failed(how)
    return result.stderr
  } catch (error) {
    if (error instanceof CommandNotStarted) throw failed(error.message)
    throw error
  }
}

/** An empty list may come with an exit code; what could not even run, or says nothing, lists nothing. */
function whyUnusable({ code, signal, stderr }: CommandResult): string | undefined {
  const last = stderr.trim().split('\n').at(-1)?.slice(0, 300)
  const said = last ? `, saying: ${last}` : ''
  if (signal !== null) return `it was ended by ${signal}${said}`
  if (code === 126 || code === 127 || (code !== 0 && !last)) return `it ended with exit code ${code}${said}`
  return undefined
}
