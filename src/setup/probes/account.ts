import { homedir, userInfo } from 'node:os'
import { runCommand } from '../../lib/exec.js'
import type { Facts } from '../types.js'

/** Who runs setup. An account without an entry in the user database (a container's --user) has its number for a name. */
export async function probeAccount(signal: AbortSignal): Promise<Facts['account']> {
  const account = accountWithoutGroup()
  const result = await runCommand('id', ['-gn'], { timeoutMs: 5000, signal }).catch(() => undefined)
  const group = result?.code === 0 ? result.stdout.trim() : ''
  return { ...account, group: group || account.group }
}

/** The same without asking for the name of the group, which may be in a directory service. */
export function accountWithoutGroup(): Facts['account'] {
  const uid = process.geteuid?.() ?? 0
  const group = String(process.getegid?.() ?? 0)
  try {
    const { username, homedir: home } = userInfo()
    return { uid, user: username, group, home, isRoot: uid === 0 }
  } catch {
    return { uid, user: String(uid), group, home: process.env.HOME ?? homedir(), isRoot: uid === 0 }
  }
}
