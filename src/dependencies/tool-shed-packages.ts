import { isTrue } from './options.js'
import { basePath, packageLines, pathBelow } from './package-directory.js'
import type { InstalledToolDependency, Requirement, Resolution, ResolverType } from './types.js'

/**
 * What Galaxy's tool shed installed: `BASE/NAME/VERSION/OWNER/REPOSITORY/CHANGESET`, and environment settings below
 * `environment_settings` (galaxy/tool_util/deps/resolvers/tool_shed_packages.py).
 */
export const toolShedPackagesResolver: ResolverType = {
  type: 'tool_shed_packages',
  create(spec, context) {
    const base = basePath(spec, context)
    const isVersionless = isTrue(spec.options.versionless)

    async function find(
      requirement: Requirement,
      installed: readonly InstalledToolDependency[],
    ): Promise<Resolution[]> {
      const version = isVersionless ? undefined : requirement.version
      const entry = installed.find(
        (each) =>
          each.name === requirement.name &&
          each.type === requirement.type &&
          (version === undefined || each.version === version),
      )
      const path = entry && directoryOf(base, requirement, version, entry)
      const shell = path === undefined ? undefined : await packageLines(path, requirement.type)
      return shell ? [{ requirements: [requirement], shell, what: `tool shed package in ${path}` }] : []
    }

    return {
      type: spec.type,
      resolve: async ({ open, description }) =>
        (await Promise.all(open.map((each) => find(each, description.installed)))).flat(),
    }
  },
}

/** Without a version only environment settings are found. */
function directoryOf(
  base: string,
  { name, type }: Requirement,
  version: string | undefined,
  { repositoryOwner, repositoryName, changeset }: InstalledToolDependency,
): string | undefined {
  if (version !== undefined) return pathBelow(base, name, version, repositoryOwner, repositoryName, changeset)
  return type === 'set_environment'
    ? pathBelow(base, 'environment_settings', name, repositoryOwner, repositoryName, changeset)
    : undefined
}
