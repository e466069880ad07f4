import { describe, expect, it } from 'vitest'
import { absolutePath, baseName, dirName, joinPath, relativePath } from '../../src/staging/posix-path.js'

describe("paths as Python's os.path has them", () => {
  it.each([
    ['/a', 'b', '/a/b'],
    ['/a/', 'b', '/a/b'],
    ['/a', '/b', '/b'],
    ['', 'b', 'b'],
    ['/a', '', '/a/'],
    ['/a/../b', './c', '/a/../b/./c'],
  ])('join %j %j', (base, name, joined) => {
    expect(joinPath(base, name)).toBe(joined)
  })

  it.each([
    ['/a/b.dat', 'b.dat', '/a'],
    ['/a/', '', '/a'],
    ['a', 'a', ''],
    ['/a', 'a', '/'],
    ['//a', 'a', '//'],
    ['/a//b', 'b', '/a'],
    ['', '', ''],
  ])('basename and dirname of %j', (path, base, directory) => {
    expect([baseName(path), dirName(path)]).toEqual([base, directory])
  })

  it.each([
    ['/a/./b/../c//d/', '/a/c/d'],
    ['/../a', '/a'],
    ['//a/b', '//a/b'],
    ['///a', '/a'],
    ['/', '/'],
    ['a', '/a'],
  ])('abspath of %j', (path, absolute) => {
    expect(absolutePath(path)).toBe(absolute)
  })

  it.each([
    ['/g/w/a/b', '/g/w', 'a/b'],
    ['/g/w', '/g/w/', '.'],
    ['/g/x', '/g/w', '../x'],
    ['/g/w2/a', '/g/w', '../w2/a'],
    ['/g/w/../y', '/g/w', '../y'],
    ['//g/w/a', '/g/w', 'a'],
  ])('relpath of %j from %j', (path, start, relative) => {
    expect(relativePath(path, start)).toBe(relative)
  })
})
