import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isTrue, textOption } from '../options.js'
import { exists } from '../package-directory.js'
import type { ResolverContext, ResolverSpec, ResolverType } from '../types.js'
import { createModuleList, parseAvail } from './module-list.js'
import { askModules, createModuleResolver, type ModuleSystem } from './module-resolver.js'

/** Environment Modules through its modulecmd (galaxy/tool_util/deps/resolvers/modules.py). */
export const modulesResolver: ResolverType = {
  type: 'modules',
  create(spec, context) {
    const command = textOption(spec, 'modulecmd') ?? 'modulecmd'
    const modulePath = textOption(spec, 'modulepath') ?? defaultModulePath(context)
    const has =
      textOption(spec, 'find_by') === 'directory'
        ? findByDirectory(modulePath.split(':'))
        : findByAvail(spec, context, command, modulePath)
    return createModuleResolver(spec, {
      has,
      broken: undefined,
      modulePath,
      loadCommand: (module) => [command, 'sh', 'load', module],
      isVersionless: isTrue(spec.options.versionless),
      skipsCheck: isTrue(spec.options.skip_availability_check),
    })
  },
}

function defaultModulePath({ env }: ResolverContext): string {
  if (env.MODULEPATH !== undefined) return env.MODULEPATH
  return env.MODULESHOME === undefined
    ? '/usr/share/modules/modulefiles'
    : join(env.MODULESHOME, 'modulefiles')
}

function findByAvail(
  spec: ResolverSpec,
  context: ResolverContext,
  command: string,
  modulePath: string,
): ModuleSystem['has'] {
  const indicator = textOption(spec, 'default_indicator') ?? '(default)'
  const list = createModuleList(
    async (signal) =>
      parseAvail(await askModules([command, 'sh', 'avail'], modulePath, context, signal), indicator),
    { keep: isTrue(spec.options.prefetch ?? 'true') },
  )
  return (name, version, signal) => list.has(name, version, signal)
}

/** A modulefile `NAME/VERSION`; without a version `NAME`, a directory or a modulefile. */
function findByDirectory(directories: readonly string[]): ModuleSystem['has'] {
  return async (name, version) => {
    for (const directory of directories) {
      if (directory === '' || name === '' || escapes(name) || escapes(version ?? '')) continue
      const path = join(directory, name)
      if (version === undefined) {
        if (await exists(path)) return true
      } else if ((await isDirectory(path)) && (await exists(join(path, version)))) return true
    }
    return false
  }
}

/** Names of modules may have slashes, but lead nowhere else. */
function escapes(name: string): boolean {
  return name.split('/').includes('..')
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
