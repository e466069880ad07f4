import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'

export interface SmallDisk {
  unmount(): void
}

/** Mounts a disk of `megabytes` in memory; undefined where that is not permitted. */
export function mountSmallDisk(directory: string, megabytes: number): SmallDisk | undefined {
  mkdirSync(directory, { recursive: true })
  const options = { stdio: 'ignore', timeout: 10_000 } as const
  const size = `size=${megabytes}m,mode=755`
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', directory], options).status !== 0)
    return undefined
  return { unmount: () => void spawnSync('umount', ['-l', directory], options) }
}
