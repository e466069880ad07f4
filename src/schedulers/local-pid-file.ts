/**
 * J/pid: names the process of a running job as the Python Pulsar does (a JSON string), which can take over. The job
 * runner writes it at a start.
 */
import { unlink } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export async function writePidFile(jobDirectory: string, pid: number): Promise<void> {
  const file = join(jobDirectory, 'pid')
  // A new file: an earlier run of the job may have left a link or a pipe there.
  await rm(file, { force: true })
  await writeFile(file, JSON.stringify(String(pid)), { flag: 'wx' })
}

/** What cannot be removed does no harm: whoever reads it looks whether the process is there. */
export function removePidFile(jobDirectory: string): Promise<void> {
  // The callback form: a third of the CPU of node:fs/promises.
  return new Promise((resolve) => unlink(join(jobDirectory, 'pid'), () => resolve()))
}
