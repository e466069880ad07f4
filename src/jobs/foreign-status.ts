import path from 'node:path'
import { readFileIfThere } from '../lib/fs.js'
import { isJobDirectory, type JobDirectory } from './directory.js'
import type { JobStatus } from './types.js'

const FINAL: readonly string[] = ['complete', 'cancelled', 'failed', 'lost'] satisfies JobStatus[]

/**
 * The status of a job of which there is no record: set up and not submitted, finished by a Python server (final_status,
 * reference/job-lifecycle §2), or unknown.
 */
export async function statusWithoutRecord(directory: JobDirectory): Promise<JobStatus> {
  const text = await readFileIfThere(path.join(directory.path, 'final_status'))
  if (text) {
    const final: unknown = JSON.parse(text.toString('utf8'))
    if (typeof final === 'string' && FINAL.includes(final)) return final as JobStatus
  }
  return (await isJobDirectory(directory)) ? 'preprocessing' : 'lost'
}
