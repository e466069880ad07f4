import { describe, expect, it } from 'vitest'
import {
  type AccessMerge,
  mergeAccess,
  ownershipOf,
  type WantedAccess,
} from '../../src/setup/accounts/ownership.js'

const server = { uid: 999, gid: 995 }
const root = { isRoot: true }
const answers = { user: 'pulsar', group: 'pulsar', separatePrivileges: false }

describe('whose the parts of a node are', () => {
  it('is the user’s, as the exercise leaves it', () => {
    const node = { user: 'pulsar', group: 'pulsar' }
    expect(ownershipOf(answers, root)).toEqual({ code: node, config: node, data: node, secretMode: 0o600 })
  })

  it('is root’s, but for the data, with separated privileges; secrets are readable for the group', () => {
    expect(ownershipOf({ ...answers, separatePrivileges: true }, root)).toEqual({
      code: { user: 'root', group: 'root' },
      config: { user: 'root', group: 'pulsar' },
      data: { user: 'pulsar', group: 'pulsar' },
      secretMode: 0o640,
    })
  })

  it('is not touched without root', () => {
    const owned = ownershipOf({ ...answers, separatePrivileges: true }, { isRoot: false })
    expect(owned).toEqual({ code: undefined, config: undefined, data: undefined, secretMode: 0o600 })
  })
})

describe('mode and owner of something that is there', () => {
  const directory: WantedAccess = {
    mode: 0o755,
    ids: server,
    mayChangeOwner: true,
    server,
    needs: 5,
    secret: false,
    ownerIsByHand: false,
  }
  const token: WantedAccess = { ...directory, mode: 0o600, needs: 4, secret: true }
  const byHand = { ...directory, ownerIsByHand: true }
  const foreign = { uid: 0, gid: 0 }
  const left = { changeOwner: false, kept: false }

  it.each<[string, { mode: number; uid: number; gid: number }, WantedAccess, AccessMerge]>([
    ['as wanted', { mode: 0o755, ...server }, directory, { mode: 0o755, ...left }],
    ['tighter by hand', { mode: 0o750, ...server }, directory, { mode: 0o750, ...left, kept: true }],
    [
      'wider for the group by hand',
      { mode: 0o2775, ...server },
      directory,
      { mode: 0o2775, ...left, kept: true },
    ],
    ['open to everybody', { mode: 0o777, ...server }, directory, { mode: 0o755, ...left }],
    [
      'open to everybody, but sticky',
      { mode: 0o1777, ...server },
      directory,
      { mode: 0o1777, ...left, kept: true },
    ],
    ['closed to the server', { mode: 0o055, ...server }, directory, { mode: 0o755, ...left }],
    [
      'root’s, from before setup',
      { mode: 0o755, ...foreign },
      directory,
      { mode: 0o755, changeOwner: true, kept: false },
    ],
    [
      'root’s by hand, and good enough',
      { mode: 0o755, ...foreign },
      byHand,
      { mode: 0o755, ...left, kept: true },
    ],
    [
      'root’s by hand, and closed',
      { mode: 0o700, ...foreign },
      byHand,
      { mode: 0o700, changeOwner: true, kept: true },
    ],
    [
      'root’s by hand, where the server writes',
      { mode: 0o755, ...foreign },
      { ...byHand, needs: 7 },
      { mode: 0o755, changeOwner: true, kept: false },
    ],
    [
      'root’s, of a user to be made',
      { mode: 0o755, ...foreign },
      { ...directory, ids: undefined, server: undefined },
      { mode: 0o755, changeOwner: true, kept: false },
    ],
    ['a token that all may read', { mode: 0o644, ...server }, token, { mode: 0o600, ...left }],
    [
      'a token for the group, by hand',
      { mode: 0o640, ...server },
      token,
      { mode: 0o640, ...left, kept: true },
    ],
    ['a token that the server may not read', { mode: 0o200, ...server }, token, { mode: 0o600, ...left }],
    [
      'root’s token for the group, by hand',
      { mode: 0o640, uid: 0, gid: server.gid },
      { ...token, ownerIsByHand: true },
      { mode: 0o640, changeOwner: false, kept: true },
    ],
    [
      'another’s, without root',
      { mode: 0o755, ...foreign },
      { ...directory, mayChangeOwner: false },
      { mode: 0o755, changeOwner: false, kept: false },
    ],
  ])('%s', (_what, found, wanted, expected) => {
    expect(mergeAccess(found, wanted)).toEqual(expected)
  })
})
