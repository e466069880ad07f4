import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { listDirectory } from '../lib/fs.js'
import { createLimit } from '../lib/limit.js'
import { readSmallFile } from '../lib/small-file.js'
import { abortAfter } from '../lib/time-limit.js'

/** As in src/jobs/directory.ts and job-id.ts. */
const MARKER = '.magnetar-job'
const RESERVED = '.magnetar'
const LOOKS_AT_ONCE = 8
const READ_MS = 5000
/** More say no more, and each is several looks at a file system that may be far. */
const MAX_LOOKED_AT = 5000

export interface JobDirectoryState {
  readonly path: string
  readonly uid: number
  readonly mtimeMs: number
  /** Carries our mark, or what a Python Pulsar leaves: a job's. */
  readonly isJob: boolean
  /** When its return code was written; undefined: not yet. */
  readonly endedMs: number | undefined
  /** What J/pid names, and since when; undefined: none. */
  readonly pid: { readonly pid: number; readonly sinceMs: number } | undefined
}

/** The directories below a staging directory, at most 5000; links and files are left out. @throws the system's error */
export async function readJobDirectories(staging: string): Promise<JobDirectoryState[]> {
  const names = (await listDirectory(staging)).filter((name) => name !== RESERVED).slice(0, MAX_LOOKED_AT)
  const limit = createLimit(LOOKS_AT_ONCE)
  const found = await Promise.all(names.map((name) => limit(() => look(join(staging, name)))))
  return found.flat()
}

async function look(path: string): Promise<JobDirectoryState[]> {
  const found = await lstat(path).catch(() => undefined)
  if (!found?.isDirectory()) return []
  const [marker, launch, ended, pid] = await Promise.all([
    timeOf(join(path, MARKER)),
    timeOf(join(path, 'launch_config')),
    timeOf(join(path, 'return_code')),
    readPid(join(path, 'pid')),
  ])
  const isJob = marker !== undefined || launch !== undefined
  return [{ path, uid: found.uid, mtimeMs: found.mtimeMs, isJob, endedMs: ended, pid }]
}

async function timeOf(file: string): Promise<number | undefined> {
  return lstat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )
}

/** A JSON string, as the Python Pulsar writes it. */
async function readPid(file: string): Promise<JobDirectoryState['pid']> {
  const [text, sinceMs] = await Promise.all([
    readSmallFile(file, abortAfter(READ_MS)).catch(() => ''),
    timeOf(file),
  ])
  const pid = Number(/^"?(\d{1,10})"?\s*$/.exec(text)?.[1])
  return sinceMs === undefined || !Number.isInteger(pid) || pid <= 0 ? undefined : { pid, sinceMs }
}
