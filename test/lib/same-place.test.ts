import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { isSamePlace } from '../../src/lib/same-place.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const noMounts =
  spawnSync('unshare', ['-m', 'true']).status === 0 ? undefined : 'nobody may mount here (unshare -m)'
const isRoot = process.getuid?.() === 0 ? 'root may look at every process' : undefined

let place: string
beforeEach(async () => {
  place = join(await tempDirectory(), 'place')
  mkdirSync(join(place, 'in'), { recursive: true })
})

/** A process that has run this in a mount namespace of its own. */
async function inNamespace(script: string): Promise<number> {
  return started(spawn('unshare', ['-m', 'sh', '-c', `${script}; echo there; read -r line`, 'sh', place]))
}

async function started(child: ChildProcess): Promise<number> {
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout as NodeJS.EventEmitter, 'data')
  return child.pid ?? 0
}

describe('whether a process means our directory by its path', () => {
  it('is so with the same mounts', async () => {
    const pid = await started(spawn('sh', ['-c', 'echo there; read -r line']))
    expect(isSamePlace(pid, join(place, 'in'))).toBe(true)
  })

  it('cannot be seen of a process of another user', needs(isRoot), () => {
    expect(isSamePlace(1, place)).toBeUndefined()
  })

  it('is so in a namespace of its own that has only other things elsewhere', needs(noMounts), async () => {
    // Of systemd's PrivateTmp= and ProtectHome= the mounts are such.
    const pid = await inNamespace('mkdir "$1/tmp" && mount -t tmpfs tmpfs "$1/tmp"')
    expect(isSamePlace(pid, join(place, 'in'))).toBe(true)
    expect(isSamePlace(pid, join(place, 'tmp'))).toBe(false)
  })

  it('is not so where that is another one; of none nothing is said', needs(noMounts), async () => {
    const empty = await inNamespace('mount -t tmpfs tmpfs "$1"')
    expect(isSamePlace(empty, join(place, 'in'))).toBeUndefined()
    expect(isSamePlace(empty, place)).toBe(false)
    expect(isSamePlace(empty, join(place, 'gone'))).toBeUndefined()
  })

  it('is told by where links lead there, not here', needs(noMounts), async () => {
    const link = join(place, '..', 'link')
    symlinkSync(place, link)
    const pid = await inNamespace('mount -t tmpfs tmpfs "$1" && mkdir "$1/in"')
    expect(isSamePlace(pid, join(link, 'in'))).toBe(false)
    const same = await inNamespace('true')
    expect(isSamePlace(same, join(link, 'in'))).toBe(true)
  })

  it('is told of a process with a root of its own', needs(noMounts), async () => {
    const script = 'mkdir -p "$1/root" && mount --rbind / "$1/root" && mount -t tmpfs tmpfs "$1/root$1"'
    const shell = 'echo there; read -r line'
    const pid = await started(
      spawn('unshare', ['-m', 'sh', '-c', `${script}; exec chroot "$1/root" sh -c '${shell}'`, 'sh', place]),
    )
    expect(isSamePlace(pid, place)).toBe(false)
    expect(isSamePlace(pid, '/usr')).toBe(true)
  })
})
