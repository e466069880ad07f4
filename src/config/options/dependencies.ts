import type { Option } from '../option.js'
import { anything, flag, oneOf, requiredPath } from '../option-types.js'

/** Lists and mappings are read by config/dependencies.ts; these words are for the documentation. */
const list = { ...anything, expected: 'a list' }
const commaList = { ...anything, expected: 'text with commas, or a list' }
const words = { ...anything, expected: 'text' }
const trueOrFalse = { ...anything, expected: 'true or false' }

/** How the requirements of tools are met. */
export const dependencyOptions = {
  tool_dependency_dir: {
    type: words,
    default: 'dependencies',
    description:
      'Where dependencies are, and where they are installed; made when it is needed. A relative path starts at the directory in which the server is started. `none`, or nothing: tools find what is on their PATH, and nothing is resolved.',
  },
  use_tool_dependencies: {
    type: flag,
    default: true,
    description: 'Whether requirements are resolved.',
    differs: 'The text "false" is false, and told; there it is true.',
  },
  dependency_resolvers_config_file: {
    type: requiredPath,
    default: 'dependency_resolvers_conf.xml',
    description:
      'The resolvers in the order in which they are asked: XML, or YAML if the name ends in .yml or .yaml. Relative to the configuration directory. Without the file: tool_shed_packages, galaxy_packages, conda, and the last two once more without looking at versions.',
  },
  dependency_resolvers: {
    type: list,
    default: undefined,
    description: 'The resolvers, instead of a file: maps with `type` and options.',
  },
  dependency_resolution: {
    type: { ...anything, expected: 'a mapping' },
    default: undefined,
    description:
      'Other names of the options here, and goes before them: `use`, `default_base_path`, `resolvers`.',
  },
  dependency_failure: {
    own: true,
    type: oneOf(['fail', 'ignore']),
    default: 'fail',
    description:
      'A resolver found what to do and could not (an environment that cannot be made): `fail` fails the job with what the resolver said, `ignore` runs it without, as the Python Pulsar does.',
  },
  conda_prefix: {
    type: words,
    default: undefined,
    defaultText: '`_conda` in tool_dependency_dir',
    description: 'Where Conda is.',
  },
  conda_exec: {
    type: words,
    default: undefined,
    defaultText: '`bin/conda` in the prefix',
    description: 'The conda, mamba or micromamba to run.',
  },
  conda_use_path_exec: { type: trueOrFalse, default: false, description: 'Take `conda` from the PATH.' },
  conda_auto_init: { type: trueOrFalse, default: false, description: 'Install Conda when it is missing.' },
  conda_auto_install: {
    type: trueOrFalse,
    default: false,
    description: 'Make environments when a job needs them.',
  },
  conda_installer: {
    own: true,
    type: words,
    default: undefined,
    defaultText: 'the newest Miniforge',
    description: 'URL or file of the installer that auto_init runs.',
  },
  conda_installer_sha256: {
    own: true,
    type: words,
    default: undefined,
    description: 'What the installer must be: nothing else is run.',
  },
  conda_ensure_channels: {
    type: commaList,
    default: 'conda-forge,bioconda',
    description: 'Channels, most important first.',
  },
  conda_condarc_override: {
    type: words,
    default: undefined,
    defaultText: '`_condarc` in tool_dependency_dir',
    description: "Conda's own settings; the file need not be there.",
  },
  conda_copy_dependencies: {
    type: trueOrFalse,
    default: false,
    description: 'Copy packages into environments of a single job instead of linking them.',
  },
  conda_use_local: { type: trueOrFalse, default: false, description: 'Packages built here as well.' },
  conda_debug: { type: trueOrFalse, default: false, description: 'Have Conda say what it does.' },
  conda_mapping_files: { type: commaList, default: undefined, description: 'Mapping files.' },
  galaxy_packages_mapping_files: { type: commaList, default: undefined, description: 'Mapping files.' },
  modules_mapping_files: { type: commaList, default: undefined, description: 'Mapping files.' },
  lmod_mapping_files: { type: commaList, default: undefined, description: 'Mapping files.' },
  use_cached_dependency_manager: {
    type: trueOrFalse,
    default: false,
    description: 'Cache resolved environments.',
    ignored: 'an environment is made once and then used by all jobs',
  },
  tool_dependency_cache_dir: {
    type: words,
    default: undefined,
    description: 'Where they are cached.',
    ignored: 'there is no such cache',
  },
  precache_dependencies: {
    type: trueOrFalse,
    default: true,
    description: 'Fill the cache when a job runs.',
    ignored: 'there is no such cache',
  },
} as const satisfies Record<string, Option>
