import { lstatSync, readlinkSync, statSync } from 'node:fs'

/** As many as the kernel follows. */
const MOST_LINKS = 40

/**
 * Whether a process means our file or directory by this absolute path: in a container (another mount namespace, or a root of its own)
 * it may be another one. Namespaces alone tell nothing: with PrivateTmp= of systemd a service has one of its own, and the same files.
 * @returns undefined where that cannot be seen: the process is gone or another user's, or has no such path, as a container that a job has
 * started may have none of the job's directory; or there is none on our side
 */
export function isSamePlace(pid: number, path: string): boolean | undefined {
  try {
    if (hasOurView(pid)) return true
    const ours = statSync(path)
    const theirs = lstatSync(resolveIn(`/proc/${pid}/root`, path))
    return theirs.dev === ours.dev && theirs.ino === ours.ino
  } catch {
    return undefined
  }
}

/** The same mounts below the same root: then no path needs to be looked at, which may be on a server that does not answer. */
function hasOurView(pid: number): boolean {
  if (readlinkSync(`/proc/${pid}/ns/mnt`) !== readlinkSync('/proc/self/ns/mnt')) return false
  const [theirs, ours] = [statSync(`/proc/${pid}/root`), statSync('/')]
  return theirs.dev === ours.dev && theirs.ino === ours.ino
}

/** The path below `root`, with its links followed as whoever has that root would: the kernel would take absolute ones from ours. */
function resolveIn(root: string, path: string): string {
  const parts = path.split('/')
  const found: string[] = []
  let links = 0
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (part === '' || part === '.') continue
    if (part === '..') {
      found.pop()
      continue
    }
    const place = [root, ...found, part].join('/')
    const target = lstatSync(place).isSymbolicLink() ? readlinkSync(place) : undefined
    if (target === undefined) {
      found.push(part)
      continue
    }
    if (++links > MOST_LINKS) throw new Error(`too many links: ${path}`)
    if (target.startsWith('/')) found.length = 0
    parts.unshift(...target.split('/'))
  }
  return [root, ...found].join('/')
}
