import { readdir, readFile } from 'node:fs/promises'
import { isSamePlace } from '../../lib/same-place.js'

/** How many jobs on this machine have a process of the program in `prefix` that waits for their end: files of it are in use so long. */
export async function countRunners(prefix: string): Promise<number> {
  let found = 0
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue
    const argv = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0')
    const isRunner = argv.some((word) => word.startsWith(`${prefix}/`) && word.endsWith('/job-runner.sh'))
    if (isRunner && isSamePlace(Number(name), prefix) !== false) found++
  }
  return found
}
