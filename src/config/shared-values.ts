import { type ConfigNode, isNull } from './node.js'
import { sharedOptions } from './options/shared.js'
import type { Problems } from './problems.js'
import { openSection, type Section } from './section.js'
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
  const sends = section.get('send_stdout_update')
  const sendsHere = inherited && !section.node('send_stdout_update') ? inherited.sendsLiveOutput : sends
  const live = openSection(
    sharedOptions,
    section.entries,
    section.nameOf(''),
    sendsHere ? problems : withWarningsOnly(problems),
  )
  const own: SharedValues = {
    stagingDirectory: section.get('staging_directory'),
    assignIds: readAssignIds(section, problems),
    galaxyHome: section.get('galaxy_home') || undefined,
    debug: section.get('debug'),
    maximumStreamSizeBytes: readStreamSize(section, inherited !== undefined),
    jobDirectoryMode: section.get('job_directory_mode'),
    sendsLiveOutput: sends,
    liveOutput: {
      intervalMs: Math.round(live.get('stdout_update_interval') * 1000),
      timeoutMs: Math.round(live.get('stdout_update_timeout') * 1000),
      chunkBytes: live.get('stdout_update_chunk_size'),
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

/** The Python Pulsar reads how live output is sent only where it is sent: what is wrong elsewhere must not stop the start. */
function withWarningsOnly(problems: Problems): Problems {
  return {
    ...problems,
    error: (place, key, message) =>
      problems.warn(place, `${key}: ${message}; it is not used while send_stdout_update is off`),
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

/** manager_factory.py: a number 0 or nothing at the top of app.yml is no option for the manager, which reads that as no limit. */
function readStreamSize(section: Section<typeof sharedOptions>, ofManager: boolean): number | undefined {
  const written = section.entries.get('maximum_stream_size')
  if (!ofManager && written && isNothing(written)) return undefined
  const bytes = section.get('maximum_stream_size')
  const node = section.node('maximum_stream_size')
  const writtenAsText = node?.kind === 'scalar' && node.type === 'text'
  if (bytes < 0 || (bytes === 0 && !ofManager && !writtenAsText)) return undefined
  return bytes
}

function isNothing(node: ConfigNode): boolean {
  return isNull(node) || (node.kind === 'scalar' && node.value === '')
}
