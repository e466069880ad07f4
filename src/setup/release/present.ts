import { lstat, readlink } from 'node:fs/promises'

/** Whether there is anything of this name, a link that leads nowhere too. */
export function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

/** Whether `path` is a symbolic link that says `target`. */
export async function isLinkTo(path: string, target: string): Promise<boolean> {
  return (await readlink(path).catch(() => undefined)) === target
}
