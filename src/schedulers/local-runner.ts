/** Which process runs, or ran, a job's script: what J/started says. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, messageOf } from '../lib/errors.js'
import { findScriptProcess } from './process-table.js'
import { SchedulerDown, type Submission } from './scheduler.js'
import { type ProcessIdentity, parseStarted, STARTED_FILE } from './started-file.js'

/**
 * 'none' when the script never began; undefined when it did and by whom cannot be known any more, so that it has ended.
 * @throws SchedulerDown when J/started cannot be read just now: nothing may be concluded.
 */
export async function findRunner(
  job: Pick<Submission, 'directory' | 'script'>,
): Promise<ProcessIdentity | 'none' | undefined> {
  let text: string
  try {
    text = await readFile(join(job.directory, STARTED_FILE), 'utf8')
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return 'none'
    throw new SchedulerDown(`cannot read ${join(job.directory, STARTED_FILE)}: ${messageOf(error)}`)
  }
  // Without content (a full disk, or the script has just created it) the process is looked for by its command line.
  return parseStarted(text)?.process ?? findScriptProcess(job.script)
}
