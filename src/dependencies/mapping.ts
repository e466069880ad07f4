import type { RequirementMapping } from '../config/types.js'
import type { Requirement } from './types.js'

/** The requirement under the name and version that the first mapping which fits gives it; itself when none does. */
export function applyMappings(
  mappings: readonly RequirementMapping[] | undefined,
  requirement: Requirement,
): Requirement {
  const found = mappings?.find(({ from }) => fits(from, requirement))
  if (!found) return requirement
  return { ...requirement, name: found.to.name, version: found.to.version ?? requirement.version }
}

function fits({ name, version, unversioned }: RequirementMapping['from'], requirement: Requirement): boolean {
  if (requirement.name !== name) return false
  if (unversioned) return requirement.version === undefined
  return version === undefined || requirement.version === version
}
