import type { sharedOptions } from './options/shared.js'
import type { Problems } from './problems.js'
import type { Section } from './section.js'
import type { LiveOutputConfig } from './types.js'

/** The options that stand at the top of app.yml for all managers and in a manager for itself. */
export interface SharedValues {
  /** As written; relative to the working directory. */
  readonly stagingDirectory: string
  readonly assignIds: 'galaxy' | 'uuid'
  readonly galaxyHome: string | undefined
  readonly debug: boolean
  /** undefined: no limit. */
  readonly maximumStreamSizeBytes: number | undefined
  readonly jobDirectoryMode: number | undefined
  readonly sendsLiveOutput: boolean
  readonly liveOutput: LiveOutputConfig
}

/** @param inherited the values of the node, when a manager is read. */
export function readSharedValues(
  section: Section<typeof sharedOptions>,
  problems: Problems,
  inherited?: SharedValues,
): SharedValues {
  const own: SharedValues = {
    stagingDirectory: section.get('staging_directory'),
    assignIds: readAssignIds(section, problems),
    galaxyHome: section.get('galaxy_home') || undefined,
    debug: section.get('debug'),
    maximumStreamSizeBytes: readStreamSize(section, inherited !== undefined),
    jobDirectoryMode: section.get('job_directory_mode'),
    sendsLiveOutput: section.get('send_stdout_update'),
    liveOutput: {
      intervalMs: Math.round(section.get('stdout_update_interval') * 1000),
      timeoutMs: Math.round(section.get('stdout_update_timeout') * 1000),
      chunkBytes: section.get('stdout_update_chunk_size'),
    },
  }
  if (!inherited) return own
  const from = (key: keyof typeof sharedOptions): SharedValues => (section.node(key) ? own : inherited)
  return {
    stagingDirectory: from('staging_directory').stagingDirectory,
    assignIds: from('assign_ids').assignIds,
    galaxyHome: own.galaxyHome ?? inherited.galaxyHome,
    debug: from('debug').debug,
    maximumStreamSizeBytes: from('maximum_stream_size').maximumStreamSizeBytes,
    jobDirectoryMode: from('job_directory_mode').jobDirectoryMode,
    sendsLiveOutput: from('send_stdout_update').sendsLiveOutput,
    liveOutput: {
      intervalMs: from('stdout_update_interval').liveOutput.intervalMs,
      timeoutMs: from('stdout_update_timeout').liveOutput.timeoutMs,
      chunkBytes: from('stdout_update_chunk_size').liveOutput.chunkBytes,
    },
  }
}

/** managers/base/__init__.py get_id_assigner: every word but uuid means galaxy; sites write none and job_plus_uuid. */
function readAssignIds(section: Section<typeof sharedOptions>, problems: Problems): 'galaxy' | 'uuid' {
  const word = section.get('assign_ids')
  if (word === 'uuid' || word === 'galaxy') return word
  const name = section.nameOf('assign_ids')
  problems.warn(
    section.node('assign_ids')?.place,
    `${name}: ${JSON.stringify(word)} means the same as galaxy; the other choice is uuid`,
  )
  return 'galaxy'
}

/** manager_factory.py: a number 0 at the top of app.yml is as good as no option, which the manager reads as no limit. */
function readStreamSize(section: Section<typeof sharedOptions>, ofManager: boolean): number | undefined {
  const bytes = section.get('maximum_stream_size')
  const node = section.node('maximum_stream_size')
  const writtenAsText = node?.kind === 'scalar' && node.type === 'text'
  if (bytes < 0 || (bytes === 0 && !ofManager && !writtenAsText)) return undefined
  return bytes
}
