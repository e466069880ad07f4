import { execFileSync } from 'node:child_process'
import fs, {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { commitNewFile, discardNewFile, UPLOAD_PREFIX } from '../../src/lib/confined-file.js'
import {
  closePartFile,
  openPartFile,
  type PartFile,
  partFileName,
  removePartFile,
} from '../../src/lib/part-file.js'
import { tempDirectory } from '../helpers/temp-directory.js'

let base: string
beforeEach(async () => {
  base = path.join(await tempDirectory(), 'inputs')
})

function open(...components: string[]): PartFile {
  const part = openPartFile(base, components, 'p')
  if (!part) throw new Error('no part')
  return part
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

describe('a part file', () => {
  it('is hidden, keeps what it has between attempts, and becomes the file by a commit', () => {
    const before = openDescriptors()
    const first = open('a', 'f')
    expect(first.size).toBe(0)
    expect(first.freeBytes).toBeGreaterThan(0)
    expect(first.diskBytes).toBeGreaterThanOrEqual(first.freeBytes)
    writeSync(first.fd, 'one', 0)
    closePartFile(first)
    expect(readdirSync(path.join(base, 'a'))).toEqual([partFileName('p')])
    expect(partFileName('p').startsWith(UPLOAD_PREFIX)).toBe(true)
    const second = open('a', 'f')
    expect(second.size).toBe(3)
    const have = Buffer.alloc(3)
    fs.readSync(second.fd, have, 0, 3, 0)
    expect(have.toString()).toBe('one')
    writeSync(second.fd, 'two', 3)
    commitNewFile(second)
    expect(readdirSync(path.join(base, 'a'))).toEqual(['f'])
    expect(readFileSync(path.join(base, 'a', 'f'), 'utf8')).toBe('onetwo')
    expect(openDescriptors()).toBe(before)
  })

  it('is looked for without being made', () => {
    const before = openDescriptors()
    expect(openPartFile(base, ['f'], 'p', { existing: true })).toBeUndefined()
    expect(readdirSync(base)).toEqual([])
    closePartFile(open('f'))
    const found = openPartFile(base, ['f'], 'p', { existing: true })
    expect(found?.size).toBe(0)
    if (found) discardNewFile(found)
    expect(readdirSync(base)).toEqual([])
    expect(openDescriptors()).toBe(before)
  })

  it('is removed, also when it is not there', () => {
    closePartFile(open('f'))
    for (let time = 0; time < 2; time++) {
      removePartFile(base, ['f'], 'p')
      expect(readdirSync(base)).toEqual([])
    }
  })

  it('is never something that somebody else put under its name', () => {
    const name = path.join(base, partFileName('p'))
    const outside = path.join(path.dirname(base), 'outside')
    mkdirSync(base)
    writeFileSync(outside, 'outside')
    const before = openDescriptors()
    linkSync(outside, name)
    const linked = open('f')
    expect(linked.size).toBe(0)
    writeSync(linked.fd, 'mine', 0)
    discardNewFile(linked)
    execFileSync('mkfifo', [name])
    discardNewFile(open('f'))
    symlinkSync(outside, name)
    expect(() => open('f')).toThrow(expect.objectContaining({ code: 'FILE_OUTSIDE_JOB' }))
    expect(readFileSync(outside, 'utf8')).toBe('outside')
    expect(openDescriptors()).toBe(before)
  })

  it('does not lead outside through its directories', () => {
    const outside = path.join(path.dirname(base), 'outside')
    mkdirSync(base)
    mkdirSync(outside)
    symlinkSync(outside, path.join(base, 'd'))
    const before = openDescriptors()
    expect(() => open('d', 'f')).toThrow(expect.objectContaining({ code: 'FILE_OUTSIDE_JOB' }))
    expect(() => open()).toThrow(expect.objectContaining({ code: 'FILE_NAME_INVALID' }))
    expect(readdirSync(outside)).toEqual([])
    expect(openDescriptors()).toBe(before)
  })
})
