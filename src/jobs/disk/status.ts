import fs from 'node:fs'
import path from 'node:path'
import type { JobStatus } from '../types.js'
import { readDynamicFiles } from './dynamic-files.js'
import { readReturnCode } from './end.js'
import { readLaunchConfig } from './launch-config.js'
import { createLister, type ListingLimit } from './listing.js'
import { isDelivered } from './live-state.js'
import { openUp } from './open-up.js'
import { readText } from './python-traces.js'
import { readStream } from './streams.js'

/** Galaxy keeps at most this much of a tool's stream (pulsar/manager_endpoint_util.py [0.16.0]). */
const TOOL_STREAM_LIMIT_BYTES = 65536
/** What an answer lists: it is made and sent whole. */
const LISTED: ListingLimit = { names: 200_000, characters: 16 * 1024 * 1024, links: 20_000 }

/** What the final status takes from the job directory. */
export interface JobResults {
  readonly returnCode: number | undefined
  readonly stdout: string
  readonly stderr: string
  /** Galaxy has both streams: they were sent while the job ran. */
  readonly streamsDelivered: boolean
  readonly jobStdout: string
  readonly jobStderr: string
  /** Why the node failed the job. */
  readonly reason: string | undefined
  readonly working: readonly string[]
  readonly metadata: readonly string[]
  readonly outputs: readonly string[]
  /** Names of all entries of the job directory. */
  readonly top: readonly string[]
  /** Entries of dynamic_file_sources whose files the tool wrote, each with `contents`. */
  readonly dynamicFiles: readonly Record<string, unknown>[]
  /** What of all this is not complete: sentences. */
  readonly omitted: readonly string[]
}

/**
 * @param limitBytes of each stream: maximum_stream_size
 * @param listed how much is listed
 */
export function readResults(directory: string, limitBytes: number, listed = LISTED): JobResults {
  openUp(directory)
  const metadata = path.join(directory, 'metadata')
  const toolLimit = Math.min(limitBytes, TOOL_STREAM_LIMIT_BYTES)
  const tool = (name: string): string =>
    readStream(metadata, name, toolLimit) ?? readStream(directory, name, toolLimit) ?? ''
  const lister = createLister(listed)
  // In the order of what is missed most.
  const top = lister.entriesOf(directory)
  const outputs = lister.filesBelow(path.join(directory, 'outputs'))
  const inMetadata = lister.filesBelow(metadata)
  const working = lister.filesBelow(path.join(directory, 'working'))
  const dynamicFiles = readDynamicFiles(directory, readLaunchConfig(directory)?.dynamic_file_sources)
  return {
    returnCode: readReturnCode(directory, true),
    stdout: tool('tool_stdout'),
    stderr: tool('tool_stderr'),
    streamsDelivered: isDelivered(directory, limitBytes),
    jobStdout: readStream(metadata, 'job_stdout', limitBytes) ?? '',
    jobStderr: readStream(metadata, 'job_stderr', limitBytes) ?? '',
    reason: readStream(directory, 'stderr', TOOL_STREAM_LIMIT_BYTES),
    working,
    metadata: inMetadata,
    outputs,
    top,
    dynamicFiles: dynamicFiles.realized,
    omitted: [...(lister.isCut ? [tooMany(listed)] : []), ...dynamicFiles.refused],
  }
}

function tooMany({ names, links }: ListingLimit): string {
  return `The job left more files than an answer lists (${names}, or ${links} symbolic links): some of them cannot be collected.`
}

const FINAL: readonly string[] = ['complete', 'cancelled', 'failed', 'lost'] satisfies JobStatus[]

/**
 * The status of a job of which there is no record: set up and not submitted, finished by a Python server (final_status,
 * reference/job-lifecycle §2), or unknown.
 */
export function statusWithoutRecord(directory: string): JobStatus {
  const final = readText(directory, 'final_status')
  if (final !== undefined && FINAL.includes(final)) return final as JobStatus
  // A Python server writes the final status of such a job only when it is asked for it.
  if (fs.existsSync(path.join(directory, 'preprocessing_failed'))) return 'failed'
  return fs.existsSync(directory) ? 'preprocessing' : 'lost'
}
