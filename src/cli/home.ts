import { statSync } from 'node:fs'
import { userInfo } from 'node:os'

/**
 * Supervisor changes the user of a program and leaves HOME, USER and LOGNAME those of root. The server's jobs inherit them, and a tool
 * that writes to ~ would fail: where HOME belongs to somebody else, the three become those of the user who runs this.
 */
export function useOwnHome(env: NodeJS.ProcessEnv): void {
  const uid = process.getuid?.()
  const owner = env.HOME ? statSync(env.HOME, { throwIfNoEntry: false })?.uid : undefined
  if (uid === undefined || uid === 0 || owner === uid) return
  try {
    const { homedir, username } = userInfo()
    if (statSync(homedir, { throwIfNoEntry: false })?.uid !== uid) return
    Object.assign(env, { HOME: homedir, USER: username, LOGNAME: username })
  } catch {
    // A user without an entry in passwd has no home.
  }
}
