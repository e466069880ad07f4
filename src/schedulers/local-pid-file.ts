/**
 * J/pid: names the process of a running job as the Python Pulsar does (a JSON string), which can take over. The job
 * runner writes it at a start.
 */
import { unlink } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export async function writePidFile(jobDirectory: string, pid: number): Promise<void> {
  await writeFile(join(jobDirectory, 'pid'), JSON.stringify(String(pid)))
}

/** What cannot be removed does no harm: whoever reads it looks whether the process is there. */
export function removePidFile(jobDirectory: string): Promise<void> {
  // The callback form: a third of the CPU of node:fs/promises.
  return new Promise((resolve) => unlink(join(jobDirectory, 'pid'), () => resolve()))
}
