/** The registry: which resolvers there are. A new one is a line here, its own file or folder, and its options in config/resolver-options.ts. */
import type { ResolverConfig, ResolverTypeName } from '../config/types.js'
import { MagnetarError } from '../lib/errors.js'
import type { Resolver, ResolverContext, ResolverType } from './types.js'
import { unsupportedResolver } from './unsupported.js'

const HOMEBREW =
  'Galaxy itself no longer installs anything by Homebrew; use conda, modules or galaxy_packages'

/** Loaded when the configuration names them. */
const TYPES: Readonly<Record<ResolverTypeName, () => Promise<ResolverType>>> = {
  conda: async () => (await import('./conda/conda-resolver.js')).condaResolver,
  galaxy_packages: async () => (await import('./galaxy-packages.js')).galaxyPackagesResolver,
  tool_shed_packages: async () => (await import('./tool-shed-packages.js')).toolShedPackagesResolver,
  unlinked_tool_shed_packages: async () =>
    (await import('./unlinked-tool-shed-packages.js')).unlinkedToolShedPackagesResolver,
  modules: async () => (await import('./modules/environment-modules.js')).modulesResolver,
  lmod: async () => (await import('./modules/lmod.js')).lmodResolver,
  homebrew: async () => unsupportedResolver('homebrew', HOMEBREW),
  tool_shed_tap: async () => unsupportedResolver('tool_shed_tap', HOMEBREW),
}

/**
 * The resolver that the configuration asks for.
 * @throws MagnetarError when its options make no sense
 */
export async function createResolver(config: ResolverConfig, context: ResolverContext): Promise<Resolver> {
  try {
    return (await TYPES[config.type]()).create(config, context)
  } catch (error) {
    if (!(error instanceof MagnetarError)) throw error
    const fix = error.fix === undefined ? {} : { fix: error.fix }
    throw new MagnetarError(error.code, `${config.place}: ${config.type}: ${error.message}`, {
      ...fix,
      cause: error,
    })
  }
}
