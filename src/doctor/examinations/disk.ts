import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { type DiskRoom, judgeDiskRoom, readDiskRoom, showRoom } from '../../lib/disk-space.js'
import { quoteForShell } from '../../lib/shell.js'
import { defineExamination } from '../define-examination.js'
import type { Finding } from '../types.js'

/** Space and inodes where the server writes. */
export const disk = defineExamination({
  id: 'disk',
  title: 'disk space',
  group: 'Machine',
  findings: {
    'disk-stuck': {
      state: 'fail',
      meaning: 'a file system does not answer (NFS whose server is away); what needs it was not examined',
      fix: 'mount it again, when its server is back',
    },
    'disk-full': {
      state: 'fail',
      meaning: 'less than 100 MiB is free where the server writes: jobs and uploads fail',
      fix: '`du` shows what takes it; `magnetar deps prune --unused DAYS` and cleaning old job directories give some back',
    },
    'inodes-full': {
      state: 'fail',
      meaning: 'hardly any file can be made any more, though there may be space',
      fix: '`du --inodes` shows where they are',
    },
    'disk-low': {
      state: 'warn',
      meaning: 'less than 2 GiB and less than a tenth is free',
      fix: 'the same as when it is full, before it is',
    },
    'inodes-low': {
      state: 'warn',
      meaning: 'fewer than 20,000 files and less than a tenth can still be made',
      fix: 'the same as when they are used up',
    },
  },
  async examine({ directories, stuck }) {
    const findings: Finding<Id>[] = stuck.map((path) => ({
      id: 'disk-stuck',
      state: 'fail',
      message: `the file system of ${path} does not answer`,
      fix: {
        text: 'When its server is back, or to let go of it:',
        command: `umount -l ${quoteForShell(path)} && mount -a`,
      },
    }))
    const seen = new Set<number>()
    let least: { path: string; free: number } | undefined
    for (const path of [...directories.map((each) => each.path), tmpdir()]) {
      const place = await firstExisting(path)
      const { dev } = await stat(place)
      if (seen.has(dev)) continue
      seen.add(dev)
      const space = await readDiskRoom(place)
      findings.push(...judgeSpace(place, space))
      if (least === undefined || space.freeBytes < least.free) least = { path: place, free: space.freeBytes }
    }
    if (findings.length > 0 || least === undefined) return findings
    return [{ id: 'disk', state: 'ok', message: `${showRoom(least.free)} free at ${least.path}` }]
  },
})

type Id = 'disk' | 'disk-stuck' | 'disk-full' | 'inodes-full' | 'disk-low' | 'inodes-low'

async function firstExisting(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  return isThere || path === dirname(path) ? path : firstExisting(dirname(path))
}

/** What there is to say of the file system that `path` is on. */
export function judgeSpace(path: string, space: DiskRoom): Finding<Id>[] {
  const { freeBytes, totalBytes, freeInodes, totalInodes } = space
  const name = quoteForShell(path)
  const show = { text: 'This shows what takes it:', command: `du -xah ${name} | sort -h | tail -n 20` }
  const where = {
    text: 'This shows where they are:',
    command: `du -x --inodes ${name} | sort -n | tail -n 20`,
  }
  const state = judgeDiskRoom(space)
  const free = `${showRoom(freeBytes)} of ${showRoom(totalBytes)} free at ${path}`
  const left = `${freeInodes} of ${totalInodes} files can still be made at ${path}`
  return [
    ...(state.bytes === 'full'
      ? [{ id: 'disk-full', state: 'fail', message: free, fix: show } as const]
      : []),
    ...(state.bytes === 'low' ? [{ id: 'disk-low', state: 'warn', message: free, fix: show } as const] : []),
    ...(state.inodes === 'full'
      ? [{ id: 'inodes-full', state: 'fail', message: left, fix: where } as const]
      : []),
    ...(state.inodes === 'low'
      ? [{ id: 'inodes-low', state: 'warn', message: left, fix: where } as const]
      : []),
  ]
}
