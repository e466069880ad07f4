import type { User } from '../../lib/accounts.js'

/** The command line that runs `argv` as that user, with all groups that a service manager gives it. Only root can do that. Pure. */
export function asUser(user: User | undefined, argv: readonly string[]): [program: string, ...string[]] {
  const isOther = user !== undefined && process.getuid?.() === 0 && user.uid !== 0
  const [program = 'true', ...args] = argv
  if (!isOther) return [program, ...args]
  return ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--', program, ...args]
}
