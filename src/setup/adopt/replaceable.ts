import { access, constants, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf, MagnetarError } from '../../lib/errors.js'

/**
 * Sees that a file can be written anew and renamed into its place, before a service is stopped for it. Nothing is written.
 * @param path with no link in it
 * @param mounts as /proc/self/mountinfo has them
 * @throws MagnetarError NOT_PERMITTED for this user; ADOPT_REFUSED for anybody
 */
export async function demandReplaceable(path: string, mounts?: string): Promise<void> {
  const errno = await errnoOfAccess(await nearest(dirname(path)))
  if (errno === 'EACCES')
    throw new MagnetarError('NOT_PERMITTED', `this user may not change ${path}, the file of the service`, {
      fix: 'Run the command as root.',
    })
  // Of the file itself only what holds for everybody: a rename needs no leave of it.
  const own = await errnoOfAccess(path)
  const why =
    errno === 'EROFS' || own === 'EROFS'
      ? 'is on a file system that is mounted read-only'
      : errno === 'EPERM' || own === 'EPERM'
        ? 'is set immutable (lsattr)'
        : isMountPoint(path, mounts ?? (await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')))
          ? 'is mounted there by itself, and a mounted file cannot be replaced'
          : undefined
  if (why === undefined) return
  throw new MagnetarError('ADOPT_REFUSED', `${path}, the file of the service, ${why}; nothing was touched`, {
    fix: 'Have the service read a file that can be changed, then run the same command again.',
  })
}

function isMountPoint(path: string, mounts: string): boolean {
  return mounts.split('\n').some((line) => {
    const point = line.split(' ')[4]
    return (
      point?.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8))) === path
    )
  })
}

async function errnoOfAccess(path: string): Promise<string | undefined> {
  return access(path, constants.W_OK).then(() => undefined, errnoOf)
}

/** The path itself, or what there is of it. */
export async function nearest(path: string): Promise<string> {
  const there = await stat(path).then(
    () => true,
    () => false,
  )
  return there || path === dirname(path) ? path : nearest(dirname(path))
}
