/**
 * What a tool's requirements are called in Conda: packages, specs and the names of environments, exactly as Galaxy gives them, so that
 * environments which a Python Pulsar made are found. Source: galaxy.tool_util.deps.conda_util (CondaTarget, hash_conda_packages) and
 * resolvers/conda.py (merged_environment_name, _expand_specs), 26.1.2.
 */
import { createHash } from 'node:crypto'
import { MagnetarError } from '../../lib/errors.js'
import type { Requirement } from '../types.js'

/** A package as Conda is asked for it. */
export interface CondaTarget {
  /** As the tool writes it; in a spec and a new environment it is lower case. */
  readonly name: string
  /** undefined: any. `1.2.8=h1` is taken as it is. */
  readonly version: string | undefined
}

/** `\s` of Python, which has more than that of JavaScript, and quotes. */
const UNSAFE = /[\s\x1c-\x1f\x85"']/
/** Beyond Galaxy: a name that is an option, leaves the directory of the environments, or chooses another channel. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/
const VERSION_REFUSED = /[/\\[\]\0-\x1f\x7f]/

const MAX_BYTES = 200

/**
 * The package that a requirement asks for. A spec for anaconda.org gives it another name and version.
 * @throws MagnetarError CONDA_FAILED when name or version cannot be those of a package
 */
export function targetOf(requirement: Requirement, versionless: boolean): CondaTarget {
  const { name, version } = expandSpecs(requirement)
  checkText('name', name, requirement)
  if (!NAME.test(name)) throw refuse('name', name, requirement, 'it is no name of a Conda package')
  if (versionless || !version) return { name, version: undefined }
  checkText('version', version, requirement)
  if (VERSION_REFUSED.test(version))
    throw refuse('version', version, requirement, 'it is no version of a Conda package')
  return { name, version }
}

/** What is asked of Conda: `zlib=1.2.8`, `zlib=*`. */
export function specOf({ name, version }: CondaTarget): string {
  return `${name.toLowerCase()}=${version ?? '*'}`
}

/** "zlib 1.2.8", for people. */
export function describeTarget({ name, version }: CondaTarget): string {
  return version === undefined ? name : `${name} ${version}`
}

/** The environment of one package: `__zlib@1.2.8`, `__zlib@_uv_`. */
export function singleName(target: CondaTarget): string {
  return legacySingleName({ ...target, name: target.name.toLowerCase() })
}

/** The same as Galaxy before 23.1 named it, with the capitals of the requirement. */
export function legacySingleName({ name, version }: CondaTarget): string {
  return `__${name}@${version ?? '_uv_'}`
}

/** The environment that holds all of the packages; a new one gets this name. The order of the requirements counts. */
export function environmentName(targets: readonly CondaTarget[]): string {
  return nameOf(targets, singleName)
}

/** The names to look for, in Galaxy's order; the last one is that of a new environment. */
export function lookupNames(targets: readonly CondaTarget[]): readonly string[] {
  const legacy = nameOf(targets, legacySingleName)
  const current = environmentName(targets)
  if (legacy === current) return [current]
  // Of a single package Galaxy prefers the name in lower case, of several the older one.
  return targets.length === 1 ? [current, legacy] : [legacy, current]
}

function nameOf(targets: readonly CondaTarget[], single: (target: CondaTarget) => string): string {
  const [first, ...others] = targets
  if (first === undefined) throw new Error('an environment of no packages has no name')
  if (others.length === 0) return single(first)
  const hash = createHash('sha256')
  for (const target of targets) hash.update(single(target), 'utf8')
  return `mulled-v1-${hash.digest('hex')}`
}

/** `\w` does not match the dash: a channel such as conda-forge is never taken. Kept, as names follow from it. */
const ANACONDA = /^https:\/\/anaconda.org\/[\p{L}\p{N}_]+\/[\p{L}\p{N}_]+/u

function expandSpecs({ name, version, specs }: Requirement): Pick<Requirement, 'name' | 'version'> {
  const spec = specs.find(({ uri }) => ANACONDA.test(uri))
  if (!spec) return { name, version }
  return { name: spec.uri.split('/').at(-1) ?? name, version: spec.version || version }
}

function checkText(what: 'name' | 'version', text: string, requirement: Requirement): void {
  if (text === '') throw refuse(what, text, requirement, 'it is empty')
  if (UNSAFE.test(text)) throw refuse(what, text, requirement, 'it contains spaces or quotes')
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw refuse(what, text.slice(0, 40), requirement, 'it is too long')
}

function refuse(what: string, text: string, requirement: Requirement, why: string): MagnetarError {
  const of = what === 'name' ? '' : ` of ${JSON.stringify(requirement.name.slice(0, MAX_BYTES))}`
  return new MagnetarError(
    'CONDA_FAILED',
    `the tool asks for a package that Conda cannot have: ${what} ${JSON.stringify(text)}${of}: ${why}`,
    { fix: "Correct the requirement in the tool's XML on the Galaxy side." },
  )
}
