import { lstat, realpath } from 'node:fs/promises'
import { nameRequirement } from './description.js'
import { applyMappings } from './mapping.js'
import { isTrue } from './options.js'
import { basePath, packageLines, pathBelow } from './package-directory.js'
import type { Requirement, Resolution, ResolverType } from './types.js'

/** `BASE/NAME/VERSION` with an env.sh or a bin directory (galaxy/tool_util/deps/resolvers/galaxy_packages.py). */
export const galaxyPackagesResolver: ResolverType = {
  type: 'galaxy_packages',
  create(spec, context) {
    const base = basePath(spec, context)
    const isVersionless = isTrue(spec.options.versionless)

    async function find(requirement: Requirement): Promise<Resolution[]> {
      const { name, version, type } = applyMappings(spec.mappings, requirement)
      const path = await (version === undefined || isVersionless
        ? defaultDirectory(base, name)
        : pathBelow(base, name, version))
      const shell = path === undefined ? undefined : await packageLines(path, type)
      return shell ? [{ requirements: [requirement], shell, what: `package in ${path}` }] : []
    }

    return {
      type: spec.type,
      resolve: async ({ open }) => (await Promise.all(open.map(find))).flat(),
      advise: (requirement) => {
        if (isVersionless || requirement.type !== 'package') return undefined
        const { name, version } = applyMappings(spec.mappings, requirement)
        const place = pathBelow(base, name, version ?? 'default')
        return place && `${nameRequirement(requirement)} is found when its programs are in ${place}/bin.`
      },
    }
  },
}

/** What the symbolic link `default` of a package leads to; a directory of that name does not count. */
async function defaultDirectory(base: string, name: string): Promise<string | undefined> {
  const link = pathBelow(base, name, 'default')
  if (link === undefined) return undefined
  const found = await lstat(link).catch(() => undefined)
  return found?.isSymbolicLink() ? realpath(link).catch(() => undefined) : undefined
}
