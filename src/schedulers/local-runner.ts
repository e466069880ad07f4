/** Which process runs, or ran, a job's script: what J/started says. */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, messageOf } from '../lib/errors.js'
import { readOwnFileSoon } from '../lib/own-file.js'
import { findScriptProcess } from './process-table.js'
import { SchedulerDown, type Submission } from './scheduler.js'
import { type ProcessIdentity, parseStarted, STARTED_FILE } from './started-file.js'

/**
 * 'none' when the script never began; undefined when it did and by whom cannot be known any more, so that it has ended.
 * @throws SchedulerDown when J/started or /proc cannot be read just now: nothing may be concluded.
 */
export async function findRunner(
  job: Pick<Submission, 'directory' | 'script'>,
): Promise<ProcessIdentity | 'none' | undefined> {
  const file = join(job.directory, STARTED_FILE)
  let text: string | undefined
  try {
    text = await readOwnFileSoon(file)
    // A pipe or link that the job put there: it has begun.
    if (text === undefined) await lstat(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return 'none'
    throw new SchedulerDown(`cannot read ${file}: ${messageOf(error)}`)
  }
  const process = parseStarted(text ?? '')?.process
  if (process) return process
  try {
    // Without content (a full disk, or the script has just created it) the process is looked for by its command line.
    return findScriptProcess(job.script)
  } catch (error) {
    throw new SchedulerDown(`cannot list processes: ${messageOf(error)}`)
  }
}
