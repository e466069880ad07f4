import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether Supervisor is there; when not, why, as a sentence for `needs`. */
export function findSupervisor(): { missing: string | undefined } {
  const absent = ['supervisord', 'supervisorctl'].filter((program) => !onPath(program))
  return {
    missing:
      absent.length === 0
        ? undefined
        : `no ${absent.join(', ')} on this machine; run "npm run peers" as root`,
  }
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
