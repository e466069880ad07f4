import { describe, expect, it } from 'vitest'
import { readGalaxyJson } from '../../src/staging/galaxy-json.js'

function referred(contents: string, names: string[], type = 'galaxy'): string[] {
  const { refersTo } = readGalaxyJson([{ type, path: 'galaxy.json', contents }])
  return names.filter(refersTo)
}

describe('galaxy.json', () => {
  it('names files and the beginnings of files at any depth', () => {
    const contents = JSON.stringify({
      output: { elements: [{ name: 'x', filename: 'a.txt' }, [{ filename: 'b', extra_files: 'b_files' }]] },
      filename: 'c',
      __unnamed_outputs: [
        { destination: { type: 'hdas' }, elements: [{ filename: 'd', extra_files: 'e/' }] },
      ],
    })
    const names = ['a.txt', 'a.txt2', 'b', 'b_files/1', 'b_files2', 'c', 'd', 'e/f', 'e', 'x']
    expect(referred(contents, names)).toEqual(['a.txt', 'b', 'b_files/1', 'b_files2', 'c', 'd', 'e/f'])
  })

  it('of the old kind has an object per line, and some of its lines may be wrong', () => {
    const contents = '{"filename": "a"}\r\nnonsense\n\n{"filename": "b"}\u2028{"filename": "c"}'
    expect(referred(contents, ['a', 'b', 'c', 'd'], 'legacy_galaxy')).toEqual(['a', 'b', 'c'])
  })

  it('may have the constants that Python writes', () => {
    const contents = '[{"filename": "a", "x": NaN}, {"filename": "NaN\\"", "y": [-Infinity, Infinity]}]'
    expect(referred(contents, ['a', 'NaN"', 'null"'])).toEqual(['a', 'NaN"'])
  })

  it('may be nested deeply', () => {
    const depth = 5000
    const contents = `${'['.repeat(depth)}{"filename": "a"}${']'.repeat(depth)}`
    expect(referred(contents, ['a'])).toEqual(['a'])
  })

  it('counts only texts', () => {
    const contents = '{"filename": 5, "extra_files": {"filename": ["a"]}, "a": null}'
    expect(referred(contents, ['a', '5'])).toEqual([])
    expect(referred('null', ['null'])).toEqual([])
    expect(referred('"filename"', ['filename'])).toEqual([])
  })

  it('with an empty extra_files means every file', () => {
    expect(referred('{"extra_files": ""}', ['a', 'b/c'])).toEqual(['a', 'b/c'])
  })

  it.each([
    '{"filename": "a"',
    '{"filename": "a',
    '',
    '{"filename": NaNNaN}',
    '{"a": "b\\',
  ])('that is no JSON gives a warning: %s', (contents) => {
    const found = readGalaxyJson([{ type: 'galaxy', path: 'my.json', contents }])
    expect(found.warnings).toEqual(['my.json is not valid JSON; files that only it names are not collected'])
    expect(found.failures).toEqual([])
    expect(found.refersTo('a')).toBe(false)
  })

  it('of an unknown kind is a failure', () => {
    const found = readGalaxyJson([{ type: 'other', path: 'my.json', contents: '{}' }])
    expect(found.failures).toEqual([expect.stringContaining('my.json has a type that is not known')])
  })
})
