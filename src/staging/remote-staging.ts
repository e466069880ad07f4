import { MagnetarError } from '../lib/errors.js'
import type { ActionMapper } from './action-mapper.js'
import { type CollectorDescription, DEFAULT_DYNAMIC_OUTPUTS, readCollector } from './collectors.js'
import { readActionMapper } from './read-action-mapper.js'
import { readSetupEntry, type SetupEntry } from './setup-action.js'
import {
  collectProblems,
  isMissing,
  readList,
  readRecord,
  readText,
  readTexts,
  requireRecord,
  type WireProblems,
  type WireRecord,
} from './wire-values.js'

/** What Galaxy expects of a job, and where: `client_outputs`. All paths are Galaxy's. */
export interface ClientOutputs {
  readonly workingDirectory: string | undefined
  readonly metadataDirectory: string | undefined
  readonly jobDirectory: string | undefined
  readonly workDirOutputs: readonly { readonly source: string; readonly destination: string }[]
  readonly outputFiles: readonly string[]
  readonly versionFile: string | undefined
  /** Patterns of Python; at least one. */
  readonly dynamicOutputs: readonly string[]
  readonly collectors: readonly CollectorDescription[]
}

/** How the files of a job travel (pulsar/client/staging/up.py: submit_job). */
export interface RemoteStaging {
  /** What this node fetches before the job, in order. */
  readonly setup: readonly SetupEntry[]
  /** undefined: there is nothing to be delivered by this node. */
  readonly mapper: ActionMapper | undefined
  readonly clientOutputs: ClientOutputs
  /** As it came, with all that is not known here: this is what is kept and handed on. */
  readonly wire: WireRecord
}

const SHOWN_PROBLEMS = 5

/**
 * Reads the `remote_staging` of a submit; missing, null and empty mean that no file travels by itself.
 * @throws MagnetarError BAD_REQUEST with all that is wrong, each with its place
 */
export function parseRemoteStaging(value: unknown): RemoteStaging {
  const problems = collectProblems()
  const wire = readRecord(value, 'remote_staging', problems)
  const mapper = isMissing(wire.action_mapper)
    ? undefined
    : readRecord(wire.action_mapper, 'action_mapper', problems)
  const sharedKey = mapper && 'ssh_key' in mapper ? { ssh_key: mapper.ssh_key } : undefined
  const staging: RemoteStaging = {
    setup: readList(wire.setup, 'setup', problems).map((entry, at) =>
      readSetupEntry(entry, `setup[${at}]`, sharedKey, problems),
    ),
    mapper: mapper && readActionMapper(mapper, problems),
    clientOutputs: readClientOutputs(readRecord(wire.client_outputs, 'client_outputs', problems), problems),
    wire,
  }
  const shown = problems.list.slice(0, SHOWN_PROBLEMS)
  const hidden = problems.list.length - shown.length
  if (shown.length === 0) return staging
  throw new MagnetarError(
    'BAD_REQUEST',
    `remote_staging cannot be used: ${shown.join('; ')}${hidden > 0 ? `; and ${hidden} more` : ''}`,
  )
}

function readClientOutputs(wire: WireRecord, problems: WireProblems): ClientOutputs {
  const at = 'client_outputs'
  const text = (name: string): string | undefined => readText(wire[name], `${at}.${name}`, problems)
  const patterns = readTexts(wire.dynamic_outputs, `${at}.dynamic_outputs`, problems)
  const descriptions = `${at}.dataset_collector_descriptions`
  return {
    workingDirectory: text('working_directory'),
    metadataDirectory: text('metadata_directory'),
    jobDirectory: text('job_directory'),
    workDirOutputs: readList(wire.work_dir_outputs, `${at}.work_dir_outputs`, problems).map((item, index) =>
      readPair(item, `${at}.work_dir_outputs[${index}]`, problems),
    ),
    outputFiles: readTexts(wire.output_files, `${at}.output_files`, problems),
    versionFile: text('version_file'),
    dynamicOutputs: patterns.length > 0 ? patterns : DEFAULT_DYNAMIC_OUTPUTS,
    collectors: readList(wire.dataset_collector_descriptions, descriptions, problems).flatMap(
      (item, index) => {
        const where = `${descriptions}[${index}]`
        return readCollector(requireRecord(item, where, problems), where, problems) ?? []
      },
    ),
  }
}

function readPair(
  value: unknown,
  where: string,
  problems: WireProblems,
): { source: string; destination: string } {
  const [source, destination, ...more] = readList(value, where, problems)
  if (typeof source === 'string' && source !== '' && typeof destination === 'string' && more.length === 0) {
    return { source, destination }
  }
  problems.wrong(where, 'a list of two paths')
  return { source: '', destination: '' }
}
