import { readFileSync } from 'node:fs'

/**
 * The file systems that are mounted at a real path or below it. Removing would reach into them, and what is mounted on cannot be
 * renamed. Not known (none) where /proc does not tell.
 */
export function mountsIn(directory: string, mountInfo = readMountInfo()): string[] {
  return mountInfo
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((field) => field !== undefined)
    .map((field) =>
      field.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((mount) => mount === directory || mount.startsWith(`${directory}/`))
}

function readMountInfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}
