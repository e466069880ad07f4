import { later, type Option } from '../option.js'
import { anything } from '../option-types.js'

const QUIET = { quiet: true } as const

/** Tool dependencies and the object store. */
export const dependencyOptions = {
  tool_dependency_dir: later(
    anything,
    'dependencies',
    'Where dependencies are installed; `none`: no resolution.',
  ),
  dependency_resolution: later(anything, 'dependencies', 'How dependencies are resolved.'),
  dependency_resolvers: later(anything, 'dependencies', 'The list of resolvers.'),
  dependency_resolvers_config_file: later(anything, 'dependencies', 'File with the list of resolvers.'),
  use_tool_dependencies: later(anything, 'dependencies', 'Whether dependencies are resolved.', QUIET),
  use_cached_dependency_manager: later(anything, 'dependencies', 'Cache resolved environments.', QUIET),
  tool_dependency_cache_dir: later(anything, 'dependencies', 'Where they are cached.', QUIET),
  precache_dependencies: later(anything, 'dependencies', 'Build the cache when a job runs.', QUIET),
  conda_auto_init: later(anything, 'dependencies', 'Install Conda when it is missing.'),
  conda_auto_install: later(anything, 'dependencies', 'Make environments when a job needs them.'),
  'conda_*': later(
    anything,
    'dependencies',
    'Options of Conda: prefix, exec, ensure_channels, debug, …',
    QUIET,
  ),
  object_store_config_file: later(anything, 'object_store', "Galaxy's object store configuration."),
  object_store_config: later(anything, 'object_store', 'The same, as a mapping.'),
  'object_store_*': later(anything, 'object_store', 'Directories and umask of the object store.', QUIET),
} as const satisfies Record<string, Option>
