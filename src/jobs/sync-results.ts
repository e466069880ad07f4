import fs from 'node:fs'
import { promisify } from 'node:util'
import { errnoOf } from '../lib/errors.js'
import { createLimit } from '../lib/limit.js'
import { disk } from './disk/disk.js'

/** Of what a job left, so much is synced; what a tool with more files made is on the disk when the system gets to it. */
const MAX_RESULTS = 1000
/** Files of one job that are open at once. */
const AT_ONCE = 8
/** Jobs whose results are synced at once: more would not make a disk faster. */
const limit = createLimit(4)

const fsync = promisify(fs.fsync)

/**
 * Puts on the disk what clients are told and given of a job that has ended: its return code, its streams, and what it made. Large files
 * take long, and hold up nobody else's work on the disk. A file system that cannot do that is no error.
 * @returns whether that was all @throws the system error of a disk that fails
 */
export function syncResults(directory: string): Promise<boolean> {
  return limit(() => syncAllOf(directory))
}

async function syncAllOf(directory: string): Promise<boolean> {
  const names = await disk.listResults(directory, MAX_RESULTS + 1)
  const wanted = names.slice(0, MAX_RESULTS)
  for (let at = 0; at < wanted.length; at += AT_ONCE)
    await syncAll(await disk.openResults(wanted.slice(at, at + AT_ONCE)))
  return names.length === wanted.length
}

async function syncAll(descriptors: readonly number[]): Promise<void> {
  const results = await Promise.allSettled(descriptors.map((fd) => fsync(fd)))
  for (const fd of descriptors) fs.close(fd)
  for (const result of results)
    if (result.status === 'rejected' && errnoOf(result.reason) !== 'EINVAL') throw result.reason
}
