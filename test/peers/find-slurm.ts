import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const programs = ['slurmctld', 'slurmd', 'sbatch', 'munged']

/** Whether a private Slurm can be started here; when not, why, as a sentence for `needs`. */
export function findSlurm(): { missing: string | undefined } {
  const absent = programs.filter((program) => !isOnPath(program))
  if (absent.length === 0) return { missing: undefined }
  return { missing: `no ${absent.join(', ')} on this machine; run "npm run peers" as root` }
}

/** Daemons live in sbin, which is not on every user's PATH. */
function isOnPath(program: string): boolean {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
