import {
  commitNewFile,
  copyFile,
  discardNewFile,
  makeParents,
  openForRead,
  openNewFile,
  readSmallFile,
  storeFile,
} from '../../lib/confined-file.js'
import { lstatIfThere } from '../../lib/lstat-if-there.js'
import { makeFilePrivate } from '../../lib/private-file.js'
import { removeTree } from '../../lib/remove-tree.js'
import { describeDirectory } from './details.js'
import { readEnd, readIfThere, readReturnCode, removeFile, writeEnd, writeFlags, writeScript } from './end.js'
import { returnStreams } from './kept-streams.js'
import { probeLaunchConfig } from './launch-probe.js'
import { leaveLocalJob, leaveUnlaunchedJob, takeBackJob } from './leave-local.js'
import { readChunk, readLiveState, writeLiveState } from './live-state.js'
import { openUp } from './open-up.js'
import { park } from './park.js'
import { changedSince, claimJobDirectory, readPythonTraces } from './python-traces.js'
import {
  discardJobDirectory,
  makeJobDirectory,
  makeJobDirectoryIfMissing,
  recycleJobDirectory,
} from './setup.js'
import { demandStaging } from './staging-mark.js'
import { readResults, statusWithoutRecord } from './status.js'
import { findStrays, probeStray } from './stray-probe.js'
import { listResults, openResults, writeSubmit } from './submit.js'

/** Whether there is anything at this path; a symbolic link counts as itself. */
function exists(file: string): boolean {
  return lstatIfThere(file) !== undefined
}

/** Everything that is done to disk for jobs and their files, one task per step of a job's way. */
export const diskTasks = {
  changedSince,
  claimJobDirectory,
  commitNewFile,
  copyFile,
  demandStaging,
  describeDirectory,
  discardJobDirectory,
  discardNewFile,
  exists,
  findStrays,
  leaveLocalJob,
  leaveUnlaunchedJob,
  listResults,
  makeFilePrivate,
  makeJobDirectory,
  makeJobDirectoryIfMissing,
  makeParents,
  openForRead,
  openNewFile,
  openResults,
  openUp,
  park,
  probeLaunchConfig,
  probeStray,
  readChunk,
  readIfThere,
  readLiveState,
  readResults,
  readEnd,
  readPythonTraces,
  readReturnCode,
  readSmallFile,
  recycleJobDirectory,
  removeFile,
  removeTree,
  returnStreams,
  statusWithoutRecord,
  storeFile,
  takeBackJob,
  writeEnd,
  writeFlags,
  writeLiveState,
  writeScript,
  writeSubmit,
}
