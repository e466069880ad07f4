import { access, constants, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** Which `module` command a machine has, with what a resolver has to be told, since a service sources no profile. */
export interface ModuleSystem {
  readonly kind: 'modules' | 'lmod'
  /** modulecmd, or Lmod's own program; absolute. */
  readonly program: string
  /** undefined: as the resolver takes it by itself. */
  readonly modulePath: string | undefined
}

const LMOD_PLACES = ['/usr/share/lmod/lmod/libexec/lmod', '/opt/apps/lmod/lmod/libexec/lmod']
const MODULECMD_PLACES = [
  '/usr/bin',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/share/Modules/bin',
  '/usr/share/modules/bin',
  '/opt/modules/bin',
]
// galaxy.tool_util.deps.resolvers.modules: what it takes when nothing is set.
const DEFAULT_MODULE_PATH = '/usr/share/modules/modulefiles'

/** Lmod goes first: where both are, Lmod's packages leave a modulecmd for old scripts. */
export async function probeModules(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ModuleSystem | undefined> {
  const modulePath = env.MODULEPATH || undefined
  const lmod = await firstExecutable([...(env.LMOD_CMD ? [env.LMOD_CMD] : []), ...LMOD_PLACES])
  if (lmod !== undefined) return { kind: 'lmod', program: lmod, modulePath }
  const directories = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...MODULECMD_PLACES]
  const modulecmd = await firstExecutable(directories.map((directory) => join(directory, 'modulecmd')))
  if (modulecmd === undefined) return undefined
  const home = env.MODULESHOME ? join(env.MODULESHOME, 'modulefiles') : DEFAULT_MODULE_PATH
  return { kind: 'modules', program: modulecmd, modulePath: modulePath ?? home }
}

async function firstExecutable(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const found = await access(file, constants.X_OK).then(
      () => stat(file),
      () => undefined,
    )
    if (found?.isFile()) return file
  }
  return undefined
}
