/** The environment of a local job: nothing of the server's but these (galaxy.util.commands.new_clean_env). */
import { tmpdir } from 'node:os'

export function localJobEnvironment(server: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const locale = server.LC_CTYPE ?? ''
  return {
    ...(server.HOME === undefined ? {} : { HOME: server.HOME }),
    ...(server.PATH === undefined ? {} : { PATH: server.PATH }),
    TMPDIR: server.TMPDIR ?? tmpdir(),
    LC_CTYPE: locale.endsWith('UTF-8') ? locale : 'C.UTF-8',
  }
}

/**
 * What the job runner adds for each job. The job script sets it to the same value; in the environment it marks every
 * process of the job (process-tree).
 */
export function jobMarker(workingDirectory: string): string {
  return `_GALAXY_JOB_DIR=${workingDirectory}`
}
