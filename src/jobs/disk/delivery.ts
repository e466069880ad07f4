import path from 'node:path'
import { userName } from '../../lib/user-name.js'
import { type ActionMapper, movesByNode } from '../../staging/action-mapper.js'
import { planOutputs } from '../../staging/collect-outputs.js'
import type { OutputType, PlannedOutput } from '../../staging/output-plan.js'
import { relativePath } from '../../staging/posix-path.js'
import { type ClientOutputs, parseRemoteStaging } from '../../staging/remote-staging.js'
import { wantsStageOut } from '../wants-stage-out.js'
import { readDynamicFiles } from './dynamic-files.js'
import { probeLaunchConfig } from './launch-probe.js'
import { createLister, type ListingLimit } from './listing.js'

/** Names that are held in memory together, some 200 bytes each. */
const LISTED: ListingLimit = { names: 500_000, characters: 64 * 1024 * 1024, links: 20_000 }
/** Files that are delivered of one job. */
const MAX_OUTPUTS = 100_000
/** Directories that could not be read, of which something is said. */
const MAX_UNREADABLE = 100
/** So many outputs are handed over at once. */
const PAGE_OUTPUTS = 500

/** What this node has to deliver of a job. */
export interface Delivery {
  /** JSON of lists of PlannedOutput: read page by page, they never hold up who reads them. */
  readonly pages: readonly string[]
  /** Why the job fails, whatever becomes of its outputs. */
  readonly failures: readonly string[]
  readonly warnings: readonly string[]
}

/** Where outputs of a type are, in the job directory. */
const DIRECTORIES: Readonly<Record<OutputType, string>> = {
  output: 'outputs',
  output_workdir: 'working',
  output_metadata: 'metadata',
  output_jobdir: '.',
}

const NOTHING: Delivery = { pages: [], failures: [], warnings: [] }

/** Others than the usual ones, for tests. */
export interface DeliveryLimits {
  readonly listed?: ListingLimit
  readonly outputs?: number
  readonly matchingMs?: number
}

/**
 * Finds out what of a job that has ended is to be delivered: lists its directories, reads what its tool says about its outputs, and
 * matches. All that a job can leave is bounded: files, memory and time. @throws MagnetarError when the job's request cannot be used
 */
export function planDelivery(directory: string, limits: DeliveryLimits = {}): Delivery {
  const { listed = LISTED, outputs: maxOutputs = MAX_OUTPUTS } = limits
  const { config: launch, problem } = probeLaunchConfig(directory)
  if (!launch) throw new Error(`its launch_config in the job directory ${problem}`)
  if (!wantsStageOut(launch.remote_staging)) return NOTHING
  const { mapper, clientOutputs } = parseRemoteStaging(launch.remote_staging)
  if (!mapper) return NOTHING
  const lister = createLister(listed)
  const listings = {
    jobdir: lister.filesOf(directory),
    outputs: lister.filesBelow(path.join(directory, 'outputs')),
    metadata: lister.filesBelow(path.join(directory, 'metadata')),
    working: lister.filesBelow(path.join(directory, 'working')),
  }
  const dynamicFiles = readDynamicFiles(directory, launch.dynamic_file_sources)
  const plan = planOutputs(
    { mapper, clientOutputs, listings, dynamicFiles: dynamicFiles.realized },
    limits.matchingMs,
  )
  const wanted = plan.outputs.filter(({ action }) => movesByNode(action.action_type))
  const isNotUtf8 = ({ type, name }: PlannedOutput): boolean =>
    lister.notUtf8.size > 0 && lister.notUtf8.has(path.join(directory, DIRECTORIES[type], name))
  const ours = wanted.filter((output) => !isNotUtf8(output))
  const missed = [...lister.unreadable].slice(0, MAX_UNREADABLE).map(([unreadable, errno]) => ({
    words: cannotBeRead(directory, unreadable, errno),
    isWanted: mayHoldOutputs(path.relative(directory, unreadable), mapper, clientOutputs),
  }))
  const failures = [
    ...plan.failures,
    ...dynamicFiles.refused,
    ...missed.filter(({ isWanted }) => isWanted).map(({ words }) => words),
    ...wanted
      .filter(isNotUtf8)
      .map(({ type, name }) => `${type} ${JSON.stringify(name)}: its name is not UTF-8`),
  ]
  if (lister.isCut)
    failures.push(
      `the job left more than ${listed.names} files or ${listed.links} symbolic links in its directories: outputs among the rest are not found`,
    )
  if (ours.length > maxOutputs)
    failures.push(`the job has ${ours.length} outputs: only the first ${maxOutputs} of them are delivered`)
  const unwanted = missed.filter(({ isWanted }) => !isWanted).map(({ words }) => words)
  return {
    pages: toPages(ours.slice(0, maxOutputs)),
    failures,
    warnings: [...plan.warnings, ...unwanted],
  }
}

/** Tools leave private caches in their working directory; one that no rule for outputs looks into fails no job. */
function mayHoldOutputs(unreadable: string, mapper: ActionMapper, clientOutputs: ClientOutputs): boolean {
  const below = path.relative('working', unreadable)
  if (below === '' || below === '..' || below.startsWith('../')) return true
  const { workDirOutputs, workingDirectory = '' } = clientOutputs
  const sources = workDirOutputs.map(({ source }) => relativePath(source, workingDirectory))
  if (sources.some((source) => `${source}/`.startsWith(`${below}/`))) return true
  const listings = { jobdir: [], outputs: [], metadata: [], working: [`${below}/file`] }
  const { outputs } = planOutputs({ mapper, clientOutputs, listings, dynamicFiles: [] })
  return outputs.some(({ name }) => name === `${below}/file`)
}

function cannotBeRead(jobDirectory: string, unreadable: string, errno: string): string {
  const shown = JSON.stringify(path.relative(jobDirectory, unreadable) || '.')
  const why =
    errno === 'EACCES' || errno === 'EPERM'
      ? `${userName()}, the user of this node, may not read it`
      : 'it cannot be read'
  return `the directory ${shown} of the job: ${why} (${errno}), so outputs in it are not found`
}

function toPages(outputs: readonly PlannedOutput[]): string[] {
  const pages: string[] = []
  for (let at = 0; at < outputs.length; at += PAGE_OUTPUTS) {
    pages.push(JSON.stringify(outputs.slice(at, at + PAGE_OUTPUTS)))
  }
  return pages
}
