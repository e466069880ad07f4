import { readdir, readFile, readlink } from 'node:fs/promises'

/** Who has a TCP port open on this machine. */
export interface Listener {
  readonly uid: number
  /** undefined: a process of another user, which only root can see. */
  readonly pid: number | undefined
  /** As started, at most 100 characters. */
  readonly command: string | undefined
}

const LISTENING = '0A'

/** The listener of a port, as the kernel lists them in /proc/net; undefined: there is none. */
export async function findListener(port: number): Promise<Listener | undefined> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  )
  for (const line of tables.join('\n').split('\n')) {
    const [, local = '', , state, , , , uid, , inode = ''] = line.trim().split(/\s+/)
    if (state !== LISTENING || Number.parseInt(local.split(':')[1] ?? '', 16) !== port) continue
    const pid = await ownerOf(inode)
    return { uid: Number(uid), pid, command: pid === undefined ? undefined : await commandOf(pid) }
  }
  return undefined
}

async function ownerOf(inode: string): Promise<number | undefined> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    // Gone in between, or another user's.
    const descriptors = await readdir(`/proc/${name}/fd`).catch((): string[] => [])
    for (const fd of descriptors) {
      const target = await readlink(`/proc/${name}/fd/${fd}`).catch(() => '')
      if (target === `socket:[${inode}]`) return Number(name)
    }
  }
  return undefined
}

/** "T" for a process that was stopped, "D" for one that waits for a disk: the letter of ps; undefined: it is gone. */
export async function stateOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // Its name, in parentheses, may have any character.
  return text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3) || undefined
}

async function commandOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return text.replaceAll('\0', ' ').trim().slice(0, 100) || undefined
}
