import { MagnetarError } from '../lib/errors.js'
import type { DependenciesDescription, InstalledToolDependency, Requirement } from './types.js'

const RESOLVABLE = ['package', 'set_environment']
const CONTROL = /[\u0000-\u001f\u007f]/

/**
 * A job's `dependencies_description` as it came (galaxy.tool_util.deps.dependencies.DependenciesDescription.from_dict): nothing and
 * anything empty ask for nothing.
 * @throws MagnetarError REQUIREMENTS_INVALID
 */
export function parseDescription(value: unknown): DependenciesDescription {
  if (value === null || value === undefined || value === '' || value === false || value === 0)
    return { requirements: [], installed: [] }
  const description = mappingOf(value, 'dependencies_description')
  const requirements = listOf(description.requirements, 'requirements').map((each, index) =>
    readRequirement(each, `requirements[${index}]`),
  )
  return {
    requirements: withoutDuplicates(requirements).filter(({ type }) => RESOLVABLE.includes(type)),
    installed: listOf(description.installed_tool_dependencies, 'installed_tool_dependencies').map(
      (each, index) => readInstalled(each, `installed_tool_dependencies[${index}]`),
    ),
  }
}

/** "zlib 1.2.8", for people. */
export function nameRequirement({ name, version }: Pick<Requirement, 'name' | 'version'>): string {
  return version === undefined ? name : `${name} ${version}`
}

function readRequirement(value: unknown, where: string): Requirement {
  const entry = mappingOf(value, where)
  return {
    name: textOf(entry.name, `${where}.name`),
    // Without a type it is none of those that can be resolved.
    type: optionalText(entry.type, `${where}.type`) ?? '',
    version: optionalText(entry.version, `${where}.version`),
    specs: listOf(entry.specs, `${where}.specs`).map((each, index) => {
      const spec = mappingOf(each, `${where}.specs[${index}]`)
      return {
        uri: textOf(spec.uri, `${where}.specs[${index}].uri`),
        version: optionalText(spec.version, `${where}.specs[${index}].version`),
      }
    }),
  }
}

function readInstalled(value: unknown, where: string): InstalledToolDependency {
  const entry = mappingOf(value, where)
  const required = (key: string): string => textOf(entry[key], `${where}.${key}`)
  return {
    name: required('dependency_name'),
    version: optionalText(entry.dependency_version, `${where}.dependency_version`),
    type: required('dependency_type'),
    repositoryName: required('repository_name'),
    repositoryOwner: required('repository_owner'),
    changeset: required('repository_installed_changeset'),
  }
}

/** Equal in name, type, version and specs: the first stays. */
function withoutDuplicates(requirements: readonly Requirement[]): Requirement[] {
  const seen = new Map<string, Requirement>()
  for (const each of requirements) {
    const { name, type, version = null, specs } = each
    const key = JSON.stringify([name, type, version, specs.map((spec) => [spec.uri, spec.version ?? null])])
    if (!seen.has(key)) seen.set(key, each)
  }
  return [...seen.values()]
}

function mappingOf(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(where, 'a mapping', value)
  return value as Record<string, unknown>
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) throw invalid(where, 'a list', value)
  return value
}

function textOf(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') throw invalid(where, 'text', value)
  if (CONTROL.test(value)) throw invalid(where, 'text without control characters', value)
  return value
}

function optionalText(value: unknown, where: string): string | undefined {
  return value === null || value === undefined || value === '' ? undefined : textOf(value, where)
}

const SHOWN_CHARACTERS = 60

function invalid(where: string, expected: string, found: unknown): MagnetarError {
  const text = found === undefined ? 'nothing' : JSON.stringify(found)
  const shown = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
  return new MagnetarError(
    'REQUIREMENTS_INVALID',
    `the requirements of the tool cannot be read: ${where}: expected ${expected}, found ${shown}`,
  )
}
