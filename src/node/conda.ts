import type { CondaManager } from '../dependencies/conda/manage.js'
import type { ResolverSpec } from '../dependencies/types.js'
import { MagnetarError } from '../lib/errors.js'

export type { CondaManager, EnvironmentReport } from '../dependencies/conda/manage.js'

/** What of the configuration says where Conda is: NodeConfig.dependencies. */
export interface CondaConfig {
  readonly baseDirectory: string
  readonly resolvers: readonly ResolverSpec[]
  /** conda_… of app.yml. */
  readonly options: Readonly<Record<string, unknown>>
}

interface Surroundings {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/**
 * The Conda of a node, for the command line: that of its first conda resolver.
 * @throws MagnetarError CONDA_UNAVAILABLE when the node has none, CONFIG_INVALID when its options make no sense
 */
export async function condaOf(
  config: CondaConfig | undefined,
  { cwd, env }: Surroundings,
): Promise<CondaManager> {
  const spec = config?.resolvers.find(({ type }) => type === 'conda')
  if (!config || !spec)
    throw new MagnetarError('CONDA_UNAVAILABLE', 'this node resolves nothing with Conda', {
      fix: 'Set tool_dependency_dir in app.yml, and add <conda auto_install="true" auto_init="true" /> to dependency_resolvers_conf.xml.',
    })
  const { createCondaManager } = await import('../dependencies/conda/manage.js')
  const { readSettings } = await import('../dependencies/conda/settings.js')
  const nodeOption = (name: string): unknown => config.options[name]
  return createCondaManager(readSettings(spec, { baseDirectory: config.baseDirectory, nodeOption, cwd, env }))
}
