import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isTrue, textOption } from './options.js'
import { basePath, packageLines, pathBelow } from './package-directory.js'
import type { Requirement, Resolution, ResolverType } from './types.js'

interface Candidate {
  readonly path: string
  readonly shell: readonly string[]
  readonly owner: string
  readonly modifiedMs: number
}

/** Who put it there by hand, among the owners. */
const MANUAL = 'manual'

/**
 * Tool shed packages of which Galaxy says nothing: `BASE/NAME/VERSION` itself, and whatever `OWNER/package_NAME*` below it has
 * (galaxy/tool_util/deps/resolvers/unlinked_tool_shed_packages.py).
 */
export const unlinkedToolShedPackagesResolver: ResolverType = {
  type: 'unlinked_tool_shed_packages',
  create(spec, context) {
    const base = basePath(spec, context)
    const isVersionless = isTrue(spec.options.versionless)
    const owners = (textOption(spec, 'preferred_owners') ?? `${MANUAL},iuc,devteam`).split(',')
    const byOwner = String(spec.options.select_by_owner ?? 'true').toLowerCase() !== 'false'

    async function find(requirement: Requirement): Promise<Resolution[]> {
      const { name, type, version } = requirement
      const candidates =
        version === undefined || isVersionless
          ? await findDefault(base, name, type)
          : await findCandidates(base, name, version, type)
      const chosen = choose(candidates, byOwner ? owners : [])
      if (!chosen) return []
      return [{ requirements: [requirement], shell: chosen.shell, what: `package in ${chosen.path}` }]
    }

    return {
      type: spec.type,
      resolve: async ({ open }) => (await Promise.all(open.map(find))).flat(),
    }
  },
}

/** The first owner with any, else all; of several the last that was modified. */
function choose(candidates: readonly Candidate[], owners: readonly string[]): Candidate | undefined {
  const preferred = owners
    .map((owner) => candidates.filter((each) => each.owner === owner))
    .find((found) => found.length > 0)
  return [...(preferred ?? candidates)].sort((a, b) => b.modifiedMs - a.modifiedMs)[0]
}

async function findDefault(base: string, name: string, type: string): Promise<Candidate[]> {
  const link = pathBelow(base, name, 'default')
  if (link === undefined || !(await lstat(link).catch(() => undefined))?.isSymbolicLink()) return []
  const path = await realpath(link).catch(() => undefined)
  return path === undefined ? [] : candidate(path, type, MANUAL, path)
}

async function findCandidates(
  base: string,
  name: string,
  version: string,
  type: string,
): Promise<Candidate[]> {
  const path = pathBelow(base, name, version)
  if (path === undefined) return []
  const found = await candidate(path, type, MANUAL, path)
  const beginning = `package_${name.toLowerCase()}`
  for (const owner of await namesIn(path)) {
    for (const repository of await namesIn(join(path, owner))) {
      if (!repository.toLowerCase().startsWith(beginning)) continue
      const dated = join(path, owner, repository)
      for (const revision of await namesIn(dated))
        found.push(...(await candidate(join(dated, revision), type, owner, dated)))
    }
  }
  return found
}

async function candidate(path: string, type: string, owner: string, dated: string): Promise<Candidate[]> {
  const shell = await packageLines(path, type)
  if (!shell) return []
  return [{ path, shell, owner, modifiedMs: (await stat(dated)).mtimeMs }]
}

/** Of a directory; nothing of what is none. */
async function namesIn(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [])).sort()
}
