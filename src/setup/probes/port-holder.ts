import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename } from 'node:path'

/** A process that listens. */
export interface PortHolder {
  readonly pid: number
  /** The first words of its command line, without options, which may hold secrets. */
  readonly program: string
}

const LISTENS = '0A'

/**
 * The processes that listen on a TCP port, at any address of this network namespace. As anybody but root only one's own are found;
 * of other namespaces none.
 */
export async function findPortHolders(port: number): Promise<PortHolder[]> {
  const inodes = new Set((await Promise.all(['tcp', 'tcp6'].map((name) => listening(name, port)))).flat())
  if (inodes.size === 0) return []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found: PortHolder[] = []
  for (const pid of pids)
    if (await holds(pid, inodes)) found.push({ pid: Number(pid), program: await programOf(pid) })
  return found
}

/** The sockets' inodes: column 10 of /proc/net/tcp (proc(5)). */
async function listening(table: string, port: number): Promise<string[]> {
  const text = await readFile(`/proc/net/${table}`, 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
    const isIt = state === LISTENS && Number.parseInt(local.split(':')[1] ?? '', 16) === port
    return isIt && inode !== undefined ? [inode] : []
  })
}

async function holds(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  // Gone in between, or another user's.
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const fd of descriptors) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
    if (inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '')) return true
  }
  return false
}

async function programOf(pid: string): Promise<string> {
  const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  const [program = '', script] = argv
  const isInterpreter = /^(python[\d.]*|node|perl|ruby|bash|sh|java)$/.test(basename(program))
  return isInterpreter && script && !script.startsWith('-') ? `${program} ${script}` : program
}
