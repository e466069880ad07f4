import path from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import { lstatIfThere } from '../../lib/lstat-if-there.js'
import { RESERVED_DIRECTORY } from '../job-id.js'

/** In every staging directory that a server has opened. Where it is not, the file system that holds the jobs is not mounted. */
export function stagingMark(stagingDirectory: string): string {
  return path.join(stagingDirectory, RESERVED_DIRECTORY)
}

/** @throws MagnetarError STAGING_AWAY when the jobs are not there, so that nothing may be concluded from a file that is not, nor made */
export function demandStaging(stagingDirectory: string): void {
  const mark = stagingMark(stagingDirectory)
  if (lstatIfThere(mark) !== undefined) return
  throw new MagnetarError(
    'STAGING_AWAY',
    `${stagingDirectory} is not the directory that the jobs were in, its file system is not mounted: there is no ${mark}`,
    { fix: `Mount it. If all of it was removed on purpose: mkdir ${mark}` },
  )
}
