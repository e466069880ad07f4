import { readFileSync } from 'node:fs'

/** Whether a process of this machine still holds a socket whose own port is this one. Linux. */
export function isHeld(localPort: number): boolean {
  const wanted = `:${localPort.toString(16).toUpperCase().padStart(4, '0')}`
  return ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap((table) => readFileSync(table, 'utf8').trim().split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .some(([, local, , , , , , , , inode]) => local?.endsWith(wanted) && inode !== '0')
}
