import { describe, expect, it } from 'vitest'
import { fingerprint, isFingerprintOf } from '../../src/setup/files/fingerprint.js'
import {
  type FoundValue,
  type KeyMerge,
  mergeKeys,
  mergeWhole,
  type WantedKey,
  type WholeMerge,
} from '../../src/setup/files/managed-file.js'

const path = '/srv/pulsar/etc/server.ini'
const print = (text: string): string => fingerprint(text, false)

interface KeyCase {
  readonly wanted: string | number | boolean | undefined
  readonly found: FoundValue
  /** What setup wrote last; undefined: it never did. */
  readonly last?: string
  readonly explicit?: boolean
  readonly force?: boolean
}

function mergeOne({ wanted, found, last, explicit = false, force = false }: KeyCase): KeyMerge<WantedKey> {
  return mergeKeys({
    path,
    wanted: [{ key: '[server:main] port', label: 'port', value: wanted, explicit }],
    read: () => found,
    written: last === undefined ? undefined : { keys: { '[server:main] port': print(last) } },
    force,
  })
}

const value = (content: string | number | boolean | null): FoundValue => ({ value: content })

describe('a key of a managed file', () => {
  it.each<[string, KeyCase, boolean]>([
    ['is added when it was never written', { wanted: 8913, found: undefined }, true],
    ['is left when it is as wanted', { wanted: 8913, found: value('8913') }, false],
    ['is compared by value: text and number', { wanted: '8913', found: value(8913) }, false],
    ['is compared by value: True and true', { wanted: true, found: value('True') }, false],
    ['is changed when it is what setup wrote last', { wanted: 9000, found: value(8913), last: '8913' }, true],
    [
      'is changed when it is what setup wrote last, asked for or not',
      { wanted: 9000, found: value(8913), last: '8913', explicit: true },
      true,
    ],
    [
      'is taken away when nothing is wanted and setup wrote it',
      { wanted: undefined, found: value('x'), last: 'x' },
      true,
    ],
    [
      'is left when nothing is wanted and somebody else wrote it',
      { wanted: undefined, found: value('x') },
      false,
    ],
    [
      'is left when nothing is wanted and somebody edited it',
      { wanted: undefined, found: value('y'), last: 'x' },
      false,
    ],
    [
      'is no matter when nothing is wanted nor there',
      { wanted: undefined, found: undefined, last: 'x' },
      false,
    ],
    [
      'is written over a hand edit with force',
      { wanted: 1, found: value(2), explicit: true, force: true },
      true,
    ],
    [
      'is written again with force',
      { wanted: 1, found: undefined, last: '1', explicit: true, force: true },
      true,
    ],
  ])('%s', (_what, given, edited) => {
    const { edits, conflicts, notes } = mergeOne(given)
    expect({ edits: edits.map((edit) => edit.value), conflicts, notes }).toEqual({
      edits: edited ? [given.wanted] : [],
      conflicts: [],
      notes: [],
    })
  })

  it.each<[string, KeyCase, string]>([
    [
      'edited by hand',
      { wanted: 8913, found: value(9000), last: '8913' },
      'kept: port = 9000 in server.ini (edited by hand; setup would write 8913)',
    ],
    [
      'there before setup',
      { wanted: 8913, found: value(9000) },
      'kept: port = 9000 in server.ini (not written by setup; setup would write 8913)',
    ],
    [
      'removed by hand',
      { wanted: 8913, found: undefined, last: '8913' },
      'kept: no port in server.ini (removed by hand; setup would write 8913)',
    ],
    [
      'emptied by hand',
      { wanted: 8913, found: value(null), last: '8913' },
      'kept: port = nothing in server.ini (edited by hand; setup would write 8913)',
    ],
    [
      'made a mapping by hand',
      { wanted: 8913, found: 'other', last: '8913' },
      'kept: port = more than a single value in server.ini (edited by hand; setup would write 8913)',
    ],
    [
      'edited by hand, where force is not asked for this key',
      { wanted: 8913, found: value(9000), last: '8913', force: true },
      'kept: port = 9000 in server.ini (edited by hand; setup would write 8913)',
    ],
  ])('stays with a note when nobody asked for another value: %s', (_what, given, note) => {
    const { edits, conflicts, notes, managed } = mergeOne(given)
    expect({ edits, conflicts, notes }).toEqual({ edits: [], conflicts: [], notes: [note] })
    // The next run has to judge as this one.
    expect(managed.keys).toEqual(given.last === undefined ? {} : { '[server:main] port': print(given.last) })
  })

  it.each<[string, KeyCase, string]>([
    [
      'edited',
      { wanted: 1, found: value(2), last: '3' },
      `${path} has port = 2, edited by hand, but 1 is asked for`,
    ],
    [
      'foreign',
      { wanted: 1, found: value(2) },
      `${path} has port = 2, not written by setup, but 1 is asked for`,
    ],
    [
      'removed',
      { wanted: 1, found: undefined, last: '1' },
      `port was removed by hand from ${path}, but 1 is`,
    ],
  ])('is a conflict when somebody asks for another value: %s', (_what, given, message) => {
    const { edits, conflicts, notes } = mergeOne({ ...given, explicit: true })
    expect({ edits, notes }).toEqual({ edits: [], notes: [] })
    expect(conflicts).toEqual([
      { path, key: '[server:main] port', message: expect.stringContaining(message) },
    ])
  })

  it('is backed up only when force replaces what somebody wrote', () => {
    const byHand: KeyCase = { wanted: 1, found: value(2), explicit: true, force: true }
    expect(mergeOne(byHand).backup).toBe(true)
    expect(mergeOne({ ...byHand, last: '2' }).backup).toBe(false)
  })

  it('is remembered by its value, and forgotten with it', () => {
    expect(mergeOne({ wanted: 1, found: undefined }).managed).toEqual({
      keys: { '[server:main] port': print('1') },
    })
    expect(mergeOne({ wanted: undefined, found: value('x'), last: 'x' }).managed).toEqual({ keys: {} })
  })
})

describe('a secret key', () => {
  const secret = (found: FoundValue, explicit: boolean, last?: string): KeyMerge<WantedKey> =>
    mergeKeys({
      path: '/srv/pulsar/etc/app.yml',
      wanted: [{ key: 'private_token', value: 'new-secret', explicit, secret: true }],
      read: () => found,
      written: last === undefined ? undefined : { keys: { private_token: last } },
      force: false,
    })

  it('is in no message', () => {
    const [asked, kept] = [secret(value('old-secret'), true), secret(value('old-secret'), false)]
    expect(asked.conflicts[0]?.message).toContain('has a private_token')
    expect(kept.notes).toEqual(['kept: private_token in app.yml (not written by setup)'])
    expect(asked.conflicts[0]?.message).not.toMatch(/old-secret|new-secret/)
  })

  it('is changed when it is the one that setup wrote, which the manifest tells without telling it', () => {
    const first = secret(undefined, false)
    const remembered = first.managed.keys?.private_token ?? ''
    expect(remembered).not.toBe(print('new-secret'))
    expect(remembered).toMatch(/^[0-9a-f]{64}$/)
    const rotated = mergeKeys({
      path,
      wanted: [{ key: 'private_token', value: 'third', explicit: true, secret: true }],
      read: () => value('new-secret'),
      written: { keys: { private_token: remembered } },
      force: false,
    })
    expect(rotated.edits).toHaveLength(1)
  })

  it('leaves the manifest as it is when nothing changed', () => {
    const remembered = secret(undefined, false).managed.keys?.private_token
    expect(secret(value('new-secret'), false, remembered).managed.keys?.private_token).toBe(remembered)
  })
})

describe('the fingerprint of a secret', () => {
  it('fits this text only, and says nothing to who has two of the same', () => {
    const [one, other] = [fingerprint('foo', true), fingerprint('foo', true)]
    expect(one).not.toBe(other)
    expect(isFingerprintOf(one, 'foo', true)).toBe(true)
    expect(isFingerprintOf(one, 'fop', true)).toBe(false)
    expect(isFingerprintOf('no hex at all', 'foo', true)).toBe(false)
  })
})

describe('a managed file without keys', () => {
  interface WholeCase {
    readonly current: string | undefined
    readonly wanted: string | undefined
    readonly last?: string
    readonly explicit?: boolean
    readonly force?: boolean
  }

  const merge = ({ current, wanted, last, explicit = false, force = false }: WholeCase): WholeMerge =>
    mergeWhole({
      path,
      current,
      wanted,
      explicit,
      force,
      written: last === undefined ? undefined : { whole: print(last) },
    })

  it.each<[string, WholeCase, WholeMerge['action']]>([
    ['is written when there is none', { current: undefined, wanted: 'a' }, 'write'],
    ['is written anew when it was removed', { current: undefined, wanted: 'a', last: 'a' }, 'write'],
    ['is left when it is as wanted', { current: 'a', wanted: 'a' }, 'none'],
    ['is replaced when it is what setup wrote', { current: 'a', wanted: 'b', last: 'a' }, 'write'],
    [
      'is removed when it is what setup wrote and not wanted',
      { current: 'a', wanted: undefined, last: 'a' },
      'remove',
    ],
    ['is none of setup’s business when it never was', { current: 'a', wanted: undefined }, 'none'],
    ['is no matter when not wanted nor there', { current: undefined, wanted: undefined, last: 'a' }, 'none'],
  ])('%s', (_what, given, action) => {
    expect(merge(given)).toMatchObject({ action, conflicts: [], notes: [], backup: false })
  })

  it.each<[string, WholeCase]>([
    ['nobody asks for another', { current: 'mine', wanted: 'b', last: 'a' }],
    ['nobody asks, and it was there before', { current: 'mine', wanted: 'b' }],
    [
      'somebody asks for what setup wrote before it was edited',
      { current: 'mine', wanted: 'a', last: 'a', explicit: true },
    ],
    ['it is not used any more', { current: 'mine', wanted: undefined, last: 'a' }],
  ])('stays with a note when it was edited and %s', (_what, given) => {
    const { action, conflicts, notes } = merge(given)
    expect({ action, conflicts }).toEqual({ action: 'none', conflicts: [] })
    expect(notes).toEqual([expect.stringContaining(`kept: ${path}`)])
  })

  it('is a conflict when it was edited and something new is asked for, which force settles with a backup', () => {
    const given: WholeCase = { current: 'mine', wanted: 'b', last: 'a', explicit: true }
    expect(merge(given)).toMatchObject({ action: 'none', managed: { whole: print('a') } })
    expect(merge(given).conflicts).toEqual([
      { path, key: undefined, message: expect.stringContaining('edited by hand') },
    ])
    expect(merge({ ...given, force: true })).toMatchObject({
      action: 'write',
      conflicts: [],
      backup: true,
      managed: { whole: print('b') },
    })
  })
})
