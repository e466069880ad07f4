import type { ActionMapper } from './action-mapper.js'
import { makeCollectorMatcher, type NameMatcher } from './collectors.js'
import { filesByDirectory } from './files-by-directory.js'
import { type RealizedFile, readGalaxyJson } from './galaxy-json.js'
import { createPlan, type OutputPlan, type OutputType, type PlanBuilder } from './output-plan.js'
import { baseName, dirName, joinPath } from './posix-path.js'
import { compilePythonRegex, limitMatching } from './python-regex.js'
import { PythonRegexError } from './regex/error.js'
import type { ClientOutputs } from './remote-staging.js'
import { planWorkDirOutputs } from './work-dir-outputs.js'

/** Where Pulsar's clients let a tool's version be written to, in the outputs directory. */
const VERSION_FILE = 'COMMAND_VERSION'
const DATASET_EXTENSION_LENGTH = '.dat'.length

/** A plan takes 0.01 ms per file, and never this long unless a pattern does not end. */
const LIMIT_MS = 10_000
const LIMIT_MS_PER_FILE = 0.1

/** Names of what is in a job's directories, each relative to its own, in the order of the status document. */
export interface OutputListings {
  readonly working: readonly string[]
  readonly outputs: readonly string[]
  readonly metadata: readonly string[]
  readonly jobdir: readonly string[]
}

export interface OutputSources {
  readonly mapper: ActionMapper
  readonly clientOutputs: ClientOutputs
  readonly listings: OutputListings
  /** The job's dynamic_file_sources that the tool wrote, with contents. */
  readonly dynamicFiles: readonly RealizedFile[]
}

/**
 * What is to be delivered of a job that has ended, and how (pulsar/client/staging/down.py: ResultsCollector). A file that is both
 * a declared output and matched by a pattern goes to both of its places. Where the Python server gives up in the middle (an
 * output that is declared in one place and not in the other, a pattern that is none), the rest is planned, and a failure says so.
 * @param limitMs patterns that take longer on these names are a failure
 */
export function planOutputs(sources: OutputSources, limitMs = limitFor(sources)): OutputPlan {
  const plan = createPlan(sources.mapper)
  tryPatterns(plan, () =>
    limitMatching(() => {
      const left = planWorkDirOutputs(plan, sources.clientOutputs, sources.listings.working)
      planOutputFiles(plan, left, sources.listings.outputs)
      planVersionFile(plan, sources)
      planMatching(plan, sources)
    }, limitMs),
  )
  return plan.result()
}

function limitFor({ listings, clientOutputs }: OutputSources): number {
  const lists = [...Object.values(listings), clientOutputs.workDirOutputs, clientOutputs.outputFiles]
  return Math.round(LIMIT_MS + LIMIT_MS_PER_FILE * lists.reduce((sum, list) => sum + list.length, 0))
}

function planOutputFiles(plan: PlanBuilder, files: readonly string[], listing: readonly string[]): void {
  const listed = new Set(listing)
  const below = filesByDirectory(listing, new Set(files.map(extraFilesDirectory)))
  for (const file of files) {
    const name = baseName(file)
    if (listed.has(name)) plan.add('output', name, file)
    for (const extra of below.get(extraFilesDirectory(file)) ?? []) {
      plan.add('output', extra, joinPath(dirName(file), extra))
    }
  }
}

/** "dataset_1_files" for "/galaxy/dataset_1.dat": four characters are taken for the extension, whatever they are. */
function extraFilesDirectory(file: string): string {
  return `${[...baseName(file)].slice(0, -DATASET_EXTENSION_LENGTH).join('')}_files`
}

function planVersionFile(plan: PlanBuilder, { clientOutputs, listings }: OutputSources): void {
  const { versionFile } = clientOutputs
  if (versionFile && listings.outputs.includes(VERSION_FILE)) plan.add('output', VERSION_FILE, versionFile)
}

/** Files that match a pattern or that galaxy.json names, in all three directories. */
function planMatching(plan: PlanBuilder, { clientOutputs, listings, dynamicFiles }: OutputSources): void {
  const directories: [OutputType, string | undefined, readonly string[]][] = [
    ['output_workdir', clientOutputs.workingDirectory, listings.working],
    ['output_metadata', clientOutputs.metadataDirectory, listings.metadata],
    ['output_jobdir', clientOutputs.jobDirectory, listings.jobdir],
  ]
  const matchers = makeMatchers(plan, clientOutputs)
  const galaxyJson = readGalaxyJson(dynamicFiles)
  for (const failure of galaxyJson.failures) plan.fail(failure)
  for (const warning of galaxyJson.warnings) plan.warn(warning)
  for (const [type, directory, names] of directories) {
    if (directory === undefined) continue
    for (const name of names) {
      if (matchers.some((matches) => matches(name)) || galaxyJson.refersTo(name)) {
        plan.add(type, name, joinPath(directory, name))
      }
    }
  }
}

function makeMatchers(plan: PlanBuilder, { collectors, dynamicOutputs }: ClientOutputs): NameMatcher[] {
  const described = collectors.map((collector) => {
    const matches = makeCollectorMatcher(collector)
    return (name: string) => tryPatterns(plan, () => matches(name), collector.pattern) ?? false
  })
  const dynamic = dynamicOutputs.flatMap((pattern) => {
    const regex = tryPatterns(plan, () => compilePythonRegex(pattern), pattern)
    return regex ? [(name: string) => regex.match(name)] : []
  })
  return [...described, ...dynamic]
}

/** A pattern that cannot be used is a failure of the plan. */
function tryPatterns<T>(plan: PlanBuilder, run: () => T, pattern?: string): T | undefined {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof PythonRegexError)) throw error
    plan.fail(
      pattern === undefined
        ? error.message
        : `the pattern ${JSON.stringify(pattern)} cannot be used: ${error.message}`,
    )
    return undefined
  }
}
