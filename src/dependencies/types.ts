import type { RequirementMapping } from '../config/types.js'
import type { Logger } from '../lib/log.js'

/**
 * Words. A tool has *requirements*; a *resolver* (conda, galaxy_packages, modules, …) finds or makes what satisfies them; a
 * *resolution* is what it found: shell lines for the job script. Resolvers are asked in the order of the configuration, each for
 * what those before it left open (galaxy.tool_util.deps.DependencyManager.requirements_to_dependencies).
 */
export interface Requirement {
  readonly name: string
  /** `package` and `set_environment` can be resolved, others are left out before. */
  readonly type: string
  readonly version: string | undefined
  readonly specs: readonly { readonly uri: string; readonly version: string | undefined }[]
}

/** An entry of `installed_tool_dependencies`: what Galaxy's tool shed installed for the tool. */
export interface InstalledToolDependency {
  readonly name: string
  /** Environment settings have none. */
  readonly version: string | undefined
  readonly type: string
  readonly repositoryName: string
  readonly repositoryOwner: string
  readonly changeset: string
}

/**
 * The job's `dependencies_description` (galaxy.tool_util.deps.dependencies.DependenciesDescription), without duplicates and without
 * what cannot be resolved. No name, version or URI has control characters; anything else may stand in them.
 */
export interface DependenciesDescription {
  readonly requirements: readonly Requirement[]
  readonly installed: readonly InstalledToolDependency[]
}

/** A resolver as the configuration has it. */
export interface ResolverSpec {
  readonly type: string
  /** Its own options: text in XML; in YAML text, number, boolean, null, or a list of them. options.ts reads them. */
  readonly options: Readonly<Record<string, unknown>>
  /** Of its mapping files, already read; applyMappings (mapping.ts) applies them. */
  readonly mappings?: readonly RequirementMapping[]
}

export interface ResolveRequest {
  /** What the resolvers before this one left open. */
  readonly open: readonly Requirement[]
  /** All that the tool asks for; `open` is shorter when a resolver before has found something. */
  readonly description: DependenciesDescription
  readonly jobDirectory: string
  readonly log: Logger
  readonly signal: AbortSignal
}

export interface Resolution {
  /** Those of `open` that it satisfies. */
  readonly requirements: readonly Requirement[]
  /**
   * Lines for the job script, bash; run in order, before the tool's command, in the shell that runs it and in the job's working directory.
   * `set -e` and `set -u` are off there, and what is set stays so for the tool. What cannot do its work says why on standard error and ends
   * the script with `exit 1`.
   */
  readonly shell: readonly string[]
  /** For people: "conda environment /srv/pulsar/var/deps/_conda/envs/__zlib@1.2.8". */
  readonly what: string
}

/** One way to satisfy requirements. */
export interface Resolver {
  readonly type: string
  /**
   * Called once when the server starts, in the background: probes, or installs what it needs. Says in the log what is wrong and
   * what mends it; a resolver that cannot work finds nothing.
   */
  prepare?(log: Logger, signal: AbortSignal): Promise<void>
  /** How it could be brought to provide this requirement, of which it found nothing: one sentence for the log, with its full stop. */
  advise?(requirement: Requirement): string | undefined
  /**
   * Finds or makes what satisfies requirements; nothing found: an empty list. Called by many jobs at once.
   * @throws MagnetarError when something was asked for and went wrong (conda's own message): the job fails with it
   * @throws the signal's reason
   */
  resolve(request: ResolveRequest): Promise<readonly Resolution[]>
}

/** What a resolver's `create` gets. */
export interface ResolverContext {
  /** Absolute: `tool_dependency_dir`. */
  readonly baseDirectory: string
  /** An option of the node: `conda_auto_install` for the resolver's `auto_install`, if it is set (get_resolver_option). */
  readonly nodeOption: (name: string) => unknown
  /** For relative paths, and for names looked up on PATH. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/** One file per type; the registry is index.ts. */
export interface ResolverType {
  readonly type: string
  /** @throws MagnetarError when its options make no sense: the server does not start */
  create(spec: ResolverSpec, context: ResolverContext): Resolver
}
