import { describe, expect, it } from 'vitest'
import type { ActionSpec } from '../../../src/staging/action.js'
import { addressOf, readPeer } from '../../../src/staging/ssh/peer.js'

const KEY = `-----BEGIN OPENSSH PRIVATE KEY-----
c2VjcmV0IGtleSBub3QgdG8gYmUgdG9sZA
bW9yZSBvZiBpdA==
-----END OPENSSH PRIVATE KEY-----
`
const good: ActionSpec = {
  action_type: 'remote_scp_transfer',
  path: '/galaxy/dataset 1.dat',
  ssh_key: KEY,
  ssh_user: 'galaxy',
  ssh_host: 'galaxy.example.org',
  ssh_port: 2222,
}

function refusal(more: Partial<ActionSpec>): unknown {
  try {
    readPeer({ ...good, ...more })
  } catch (error) {
    return error
  }
  return 'taken'
}

describe('the other end of an rsync or scp', () => {
  it('is read from the action', () => {
    expect(readPeer(good)).toEqual({
      user: 'galaxy',
      host: 'galaxy.example.org',
      port: 2222,
      key: KEY,
      path: '/galaxy/dataset 1.dat',
    })
  })

  it.each([
    ['galaxy.example.org', 'galaxy.example.org:/galaxy/dataset 1.dat'],
    ['192.0.2.7', '192.0.2.7:/galaxy/dataset 1.dat'],
    ['2001:db8::7', '[2001:db8::7]:/galaxy/dataset 1.dat'],
    ['[2001:db8::7]', '[2001:db8::7]:/galaxy/dataset 1.dat'],
    ['fe80::1%eth0', '[fe80::1%eth0]:/galaxy/dataset 1.dat'],
  ])('takes the host %s', (host, address) => {
    expect(addressOf(readPeer({ ...good, ssh_host: host }))).toBe(address)
  })

  it.each([
    ['', undefined],
    [22, 22],
    ['2222', 2222],
  ])('takes the port %j', (given, port) => {
    expect(readPeer({ ...good, ssh_port: given }).port).toBe(port)
  })

  it.each([
    ['-oProxyCommand=touch x', /ssh_host is "-oProxyCommand=touch x"/],
    ['host;reboot', /ssh_host/],
    ['a host', /ssh_host/],
    ['user@host', /ssh_host/],
    ['$(reboot)', /ssh_host/],
    ['', /ssh_host/],
    ['x:y:-z', /ssh_host/],
    ['host\n', /ssh_host/],
  ])('refuses the host %j', (host, words) => {
    expect(refusal({ ssh_host: host })).toMatchObject({
      transient: false,
      message: expect.stringMatching(words),
    })
  })

  it.each(['-l', 'a b', 'a;b', '`a`', '', 'a\nb', '$HOME'])('refuses the user %j', (user) => {
    expect(refusal({ ssh_user: user })).toMatchObject({
      transient: false,
      message: expect.stringContaining('ssh_user'),
    })
  })

  it.each(['0', 65536, '22 -oX', '-1', 1.5, 'None'])('refuses the port %j', (port) => {
    expect(refusal({ ssh_port: port })).toMatchObject({
      transient: false,
      message: expect.stringContaining('ssh_port'),
    })
  })

  it.each([
    '',
    'relative',
    '-x',
    '~/f',
    '/',
    '/d/',
    '/d/..',
    '/d/.',
    '/a\0b',
  ])('refuses the path %j', (path) => {
    expect(refusal({ path })).toMatchObject({
      transient: false,
      message: expect.stringContaining('the path on'),
    })
  })

  it('says what is missing', () => {
    const { ssh_user: _user, ...withoutUser } = good
    expect(() => readPeer(withoutUser)).toThrow('remote_scp_transfer: ssh_user is ""')
    expect(() => readPeer({ action_type: 'remote_rsync_transfer' })).toThrow('remote_rsync_transfer: ')
  })

  it.each([
    ['Windows line ends', KEY.replaceAll('\n', '\r\n')],
    ['an indent', KEY.replaceAll(/^/gm, '    ')],
    ['no newline at the end', KEY.trimEnd()],
    ['spaces for newlines, as XML attributes have them', KEY.replaceAll(/\n(?!$)/g, ' ')],
    ['words around it', `Galaxy's key:\n${KEY}\nkeep it`],
  ])('makes a key that ssh can read of one with %s', (_what, key) => {
    const body = KEY.replaceAll(' ', '').replaceAll('\n', '')
    const read = readPeer({ ...good, ssh_key: key }).key
    expect(read.replaceAll(' ', '').replaceAll('\n', '')).toBe(body)
    expect(read).toBe(KEY)
  })

  it('keeps the headers of an old key', () => {
    const old =
      '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nYWJj\n-----END RSA PRIVATE KEY-----\n'
    expect(readPeer({ ...good, ssh_key: old.replaceAll('\n', '\r\n') }).key).toBe(old)
  })

  it.each([
    undefined,
    '',
    'c2VjcmV0',
    'ssh-ed25519 c2VjcmV0 public',
    KEY.replace('END', 'end'),
    '/etc/ssh/c2VjcmV0',
  ])('refuses what is no private key without repeating it: %j', (key) => {
    const { ssh_key: _key, ...rest } = good
    let failure: unknown
    try {
      readPeer({ ...rest, ...(key === undefined ? {} : { ssh_key: key }) })
    } catch (error) {
      failure = error
    }
    expect(failure).toMatchObject({
      transient: false,
      message: expect.stringContaining('ssh_key is no private key'),
    })
    expect(String(failure)).not.toContain('c2VjcmV0')
  })
})
