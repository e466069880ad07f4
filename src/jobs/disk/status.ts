import fs from 'node:fs'
import path from 'node:path'
import { UPLOAD_PREFIX } from '../../lib/confined-file.js'
import { errnoOf } from '../../lib/errors.js'
import type { JobStatus } from '../types.js'
import { readIfThere, readReturnCode } from './end.js'
import { isDelivered } from './live-state.js'
import { readStream } from './streams.js'

/** Galaxy keeps at most this much of a tool's stream (pulsar/manager_endpoint_util.py [0.16.0]). */
const TOOL_STREAM_LIMIT_BYTES = 65536
/** A galaxy.json larger than this is no description of outputs; the answer must stay bounded. */
const MAX_DYNAMIC_FILE_BYTES = 64 * 1024 * 1024

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
}

/** @param limitBytes of each stream: maximum_stream_size */
export function readResults(directory: string, limitBytes: number): JobResults {
  const metadata = path.join(directory, 'metadata')
  const toolLimit = Math.min(limitBytes, TOOL_STREAM_LIMIT_BYTES)
  const tool = (name: string): string =>
    readStream(metadata, name, toolLimit) ?? readStream(directory, name, toolLimit) ?? ''
  return {
    returnCode: readReturnCode(directory, true),
    stdout: tool('tool_stdout'),
    stderr: tool('tool_stderr'),
    streamsDelivered: isDelivered(directory, limitBytes),
    jobStdout: readStream(metadata, 'job_stdout', limitBytes) ?? '',
    jobStderr: readStream(metadata, 'job_stderr', limitBytes) ?? '',
    reason: readStream(directory, 'stderr', TOOL_STREAM_LIMIT_BYTES),
    working: listFiles(path.join(directory, 'working')),
    metadata: listFiles(metadata),
    outputs: listFiles(path.join(directory, 'outputs')),
    top: entriesOf(directory).map((entry) => entry.name),
    dynamicFiles: realizeDynamicFiles(directory),
  }
}

/** Files below a directory, relative; symbolic links are listed when they lead to a file, never descended. */
function listFiles(directory: string): string[] {
  // A tool may have put a link in place of its directory; what that leads to is not the job's.
  if (!fs.lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) return []
  const files: string[] = []
  const waiting = ['']
  for (let prefix = waiting.pop(); prefix !== undefined; prefix = waiting.pop()) {
    for (const entry of entriesOf(path.join(directory, prefix))) {
      // Left by a crash in the middle of an upload: nobody's file.
      if (entry.name.startsWith(UPLOAD_PREFIX)) continue
      const name = prefix ? `${prefix}/${entry.name}` : entry.name
      if (entry.isDirectory()) waiting.push(name)
      else if (entry.isFile() || (entry.isSymbolicLink() && leadsToFile(path.join(directory, name))))
        files.push(name)
    }
  }
  return files
}

function entriesOf(directory: string): fs.Dirent[] {
  try {
    return fs.readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EACCES') return []
    throw error
  }
}

function leadsToFile(file: string): boolean {
  try {
    return !fs.statSync(file).isDirectory()
  } catch {
    return false
  }
}

interface DynamicFileSource {
  readonly path?: unknown
}

function realizeDynamicFiles(directory: string): Record<string, unknown>[] {
  const text = readIfThere(path.join(directory, 'launch_config'))
  if (!text) return []
  const sources: unknown = (JSON.parse(text) as { dynamic_file_sources?: unknown }).dynamic_file_sources
  if (!Array.isArray(sources)) return []
  const realized: Record<string, unknown>[] = []
  for (const source of sources as DynamicFileSource[]) {
    if (typeof source?.path !== 'string') continue
    const contents = readStream(path.join(directory, 'working'), source.path, MAX_DYNAMIC_FILE_BYTES)
    if (contents !== undefined) realized.push({ ...source, contents })
  }
  return realized
}

const FINAL: readonly string[] = ['complete', 'cancelled', 'failed', 'lost'] satisfies JobStatus[]

/**
 * The status of a job of which there is no record: set up and not submitted, finished by a Python server (final_status,
 * reference/job-lifecycle §2), or unknown.
 */
export function statusWithoutRecord(directory: string): JobStatus {
  const text = readIfThere(path.join(directory, 'final_status'))
  if (text) {
    const final: unknown = JSON.parse(text)
    if (typeof final === 'string' && FINAL.includes(final)) return final as JobStatus
  }
  return fs.existsSync(directory) ? 'preprocessing' : 'lost'
}
