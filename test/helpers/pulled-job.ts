import { createHash } from 'node:crypto'
import type { SubmitRequest } from '../../src/jobs/types.js'
import type { Content } from './job-files/content.js'
import type { JobFilesServer } from './job-files-server.js'

export const HTTP_ACTIONS = ['remote_transfer', 'remote_transfer_tus'] as const
export type HttpAction = (typeof HTTP_ACTIONS)[number]

interface PulledFile {
  readonly action: HttpAction
  /** Of an input: what Galaxy has. Of an output: the input that it is made from. */
  readonly content: Content
}

/** A job whose files this node fetches and delivers: output i is input i mod n and then "output i" on a line of its own. */
export interface PulledJob {
  readonly id: string
  /** All that it has at Galaxy is below it. */
  readonly base: string
  readonly commandLine: string
  readonly remoteStaging: SubmitRequest['remote_staging']
  /** Galaxy's paths; outputs in the order in which they are sent. */
  readonly inputs: readonly (PulledFile & { readonly path: string; readonly name: string })[]
  readonly outputs: readonly {
    readonly path: string
    readonly name: string
    readonly action: HttpAction
    readonly bytes: number
    readonly sha256: string
  }[]
}

/**
 * Puts the inputs of a job at Galaxy and says what it is to run and what must arrive. The first output is one of the
 * working directory when there is more than one.
 */
export function createPulledJob(
  galaxy: JobFilesServer,
  id: string,
  inputs: readonly PulledFile[],
  outputActions: readonly HttpAction[],
  before = 'true',
): PulledJob {
  const base = `/galaxy/${id}`
  const named = inputs.map((file, at) => ({ ...file, name: `in${at}.dat`, path: `${base}/in${at}.dat` }))
  for (const { path, content } of named) galaxy.serve(path, content)
  const outputs = outputActions.map((action, at) => {
    const source = named[at % named.length]
    if (!source) throw new Error('a job without inputs')
    const isWork = at === 0 && outputActions.length > 1
    const name = isWork ? `work${at}.dat` : `out${at}.dat`
    const last = `output ${at}\n`
    const { content } = source
    const hash = createHash('sha256')
    for (let from = 0; from < content.bytes; from += 1 << 20)
      hash.update(content.read(from, from + (1 << 20)))
    return {
      at,
      isWork,
      name,
      action,
      source: source.name,
      // Galaxy's name for it says how it travels.
      path: `${base}/${action}/${name}`,
      bytes: content.bytes + last.length,
      sha256: hash.update(last).digest('hex'),
    }
  })
  const lines = outputs.map(
    ({ at, isWork, name, source }) =>
      `{ cat ../inputs/${source} && echo output ${at}; } > ${isWork ? name : `../outputs/${name}`}`,
  )
  return {
    id,
    base,
    commandLine: [before, ...lines].join(' && '),
    inputs: named,
    outputs,
    remoteStaging: {
      setup: [
        ...named.map(({ name, path, action }) => ({
          name,
          type: 'input',
          action: { path, source: { path }, action_type: action, url: galaxy.fileUrl(path, 'input') },
        })),
        { name: 'note.txt', type: 'config', action: { contents: 'a note', action_type: 'message' } },
      ],
      action_mapper: {
        default_action: 'none',
        files_endpoint: galaxy.endpoint,
        paths: HTTP_ACTIONS.map((action) => ({
          action,
          match_type: 'glob',
          path: `${base}/${action}/*`,
          path_types: '*defaults*',
          depth: 0,
        })),
      },
      client_outputs: {
        working_directory: `${base}/working`,
        metadata_directory: null,
        job_directory: null,
        work_dir_outputs: outputs
          .filter(({ isWork }) => isWork)
          .map(({ name, path }) => [`${base}/working/${name}`, path]),
        output_files: outputs.map(({ path }) => path),
        version_file: null,
        dynamic_outputs: null,
        dynamic_file_sources: null,
        dataset_collector_descriptions: [],
      },
    },
  }
}

/** What of a job's outputs is not at Galaxy as it should be; empty: all is right. */
export function wrongOutputs(galaxy: JobFilesServer, { outputs }: PulledJob): string[] {
  return outputs.flatMap(({ path, bytes, sha256 }) => {
    const stored = galaxy.uploads.get(path)
    if (!stored) return [`${path} did not arrive`]
    if (stored.sha256 === sha256 && stored.bytes === bytes) return []
    return [`${path} has ${stored.bytes} of ${bytes} bytes, or others`]
  })
}
