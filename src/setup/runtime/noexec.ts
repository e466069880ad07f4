import { readFileSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'

/** @throws RUNTIME_UNAVAILABLE when the file system that `path` is on, or is to be on, starts no programs */
export function demandExec(path: string, otherwise: string, mountInfo = readMountInfo()): void {
  const mount = noexecMount(realParent(path), mountInfo)
  if (mount === undefined) return
  throw new MagnetarError(
    'RUNTIME_UNAVAILABLE',
    `no program can be started in ${path}: ${mount} is mounted with the option noexec`,
    { fix: `Mount it without noexec (mount -o remount,exec ${mount}), or ${otherwise}.` },
  )
}

/** The mount that a real path is on, when it has the option; the last one on a directory covers those before it. */
function noexecMount(path: string, mountInfo: string): string | undefined {
  let found = { mount: '', options: '' }
  for (const line of mountInfo.split('\n')) {
    const [, , , , field, options = ''] = line.split(' ')
    if (field === undefined) continue
    const mount = field.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
    const isAbove = path === mount || path.startsWith(mount.endsWith('/') ? mount : `${mount}/`)
    if (isAbove && mount.length >= found.mount.length) found = { mount, options }
  }
  return found.options.split(',').includes('noexec') ? found.mount : undefined
}

function realParent(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path === dirname(path) ? path : realParent(dirname(path))
  }
}

function readMountInfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}
