import { readdir, readFile, readlink } from 'node:fs/promises'

export interface LockHolder {
  readonly pid: number
  /** Its program and arguments, cut; may hold secrets. */
  readonly command: string
}

const MAX_COMMAND = 200

/**
 * The process of this host that holds the lock of a file (file-lock.ts), as far as this user may see: those of others are hidden from
 * all but root. /proc/locks names only flock(1), which has ended; /proc/PID/fdinfo has a line for the lock of each open file.
 */
export async function findLockHolder(file: string): Promise<LockHolder | undefined> {
  const pids = (await list('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  // A server has a lower number than the conda that has its lock too.
  for (const pid of pids.sort((one, other) => one - other)) {
    for (const fd of await list(`/proc/${pid}/fd`)) {
      if ((await readlink(`/proc/${pid}/fd/${fd}`).catch(() => undefined)) !== file) continue
      if (/^lock:.*\bFLOCK\b/m.test(await read(`/proc/${pid}/fdinfo/${fd}`)))
        return { pid, command: showCommand(await read(`/proc/${pid}/cmdline`)) }
    }
  }
  return undefined
}

function showCommand(commandLine: string): string {
  const text = commandLine.replace(/[\0-\x1f\x7f-\x9f]+/g, ' ').trim()
  return text.length > MAX_COMMAND ? `${text.slice(0, MAX_COMMAND)} …` : text
}

function list(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => [])
}

function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}
