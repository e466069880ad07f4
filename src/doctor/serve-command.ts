import { quoteForShell } from '../lib/shell.js'
import type { DoctorFacts } from './types.js'

/** The command that starts the server by hand: as the node's user, and as root only where the node is root's. */
export function serveCommand({
  configDirectory,
  user,
  account,
}: Pick<DoctorFacts, 'configDirectory' | 'user' | 'account'>): string {
  const serve = `magnetar serve --config ${quoteForShell(configDirectory)}`
  if (!account.isRoot) return serve
  if (user && user.uid !== 0) return `runuser -u ${quoteForShell(user.name)} -- ${serve}`
  // Root is refused without.
  return `${serve} --allow-root`
}
