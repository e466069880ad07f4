import { describe, expect, it } from 'vitest'
import { makeCollectorMatcher } from '../../src/staging/collectors.js'
import { parseRemoteStaging } from '../../src/staging/remote-staging.js'

function matching(description: Record<string, unknown>, names: string[]): string[] {
  const { clientOutputs } = parseRemoteStaging({
    client_outputs: { dataset_collector_descriptions: [description] },
  })
  return clientOutputs.collectors.flatMap((each) => names.filter(makeCollectorMatcher(each)))
}

describe('a dataset collector', () => {
  it.each([
    [
      '__default__',
      ['primary_DATASET_ID_a_visible_txt', 'primary_1_a_visible_txt'],
      ['primary_DATASET_ID_a_visible_txt'],
    ],
    ['__name__', ['a', 'a/b'], ['a', 'a/b']],
    ['__designation__', ['a'], ['a']],
    ['__name_and_ext__', ['a.txt', 'a'], ['a.txt']],
    ['__designation_and_ext__', ['a.b', 'ab'], ['a.b']],
    ['__nameless__', ['__nameless__', 'a'], ['__nameless__']],
  ])('%s', (pattern, names, found) => {
    expect(matching({ pattern }, names)).toEqual(found)
  })

  it('without a directory matches the whole relative name, at its beginning', () => {
    expect(matching({ pattern: 'out/.' }, ['out/a', 'x/out/a', 'out/', 'out/ab'])).toEqual([
      'out/a',
      'out/ab',
    ])
  })

  const names = ['a.txt', 'out/a.txt', 'out/b/a.txt', 'outer/a.txt', 'out', 'out.txt']
  it.each([
    ['out', ['out/a.txt']],
    ['out/', ['out/a.txt']],
    ['./out//.', ['out/a.txt']],
    ['x/../out', ['out/a.txt']],
    ['out/b', ['out/b/a.txt']],
    ['.', ['a.txt']],
    ['..', []],
    ['../working', []],
    ['/', []],
    ['/out', []],
  ])('with the directory %s matches what is below it', (directory, found) => {
    for (const match_relative_path of [true, false]) {
      expect(matching({ pattern: 'a\\.', directory, match_relative_path }, names)).toEqual(found)
    }
  })

  it('sees a file in the place of its directory as "."', () => {
    expect(matching({ pattern: '.*', directory: 'out' }, names)).toEqual(['out/a.txt', 'out/b/a.txt', 'out'])
    expect(matching({ pattern: '\\w', directory: 'out' }, names)).toEqual(['out/a.txt', 'out/b/a.txt'])
  })

  it.each([
    { discover_via: 'tool_provided_metadata' },
    { discover_via: 'tool_provided_metadata', pattern: '.*' },
    { from_provided_metadata: true },
    { from_provided_metadata: ' Yes ' },
  ])('of tool provided metadata matches nothing: %j', (description) => {
    expect(matching(description, ['a'])).toEqual([])
  })

  it.each([
    { discover_via: 'pattern', from_provided_metadata: true, pattern: '.*' },
    { from_provided_metadata: 'false', pattern: '.*' },
  ])('is a pattern otherwise: %j', (description) => {
    expect(matching(description, ['a'])).toEqual(['a'])
  })
})
