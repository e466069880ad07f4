import { chmod, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  type AccountSources,
  lookUpGroup,
  lookUpGroupById,
  lookUpUser,
  lookUpUserById,
} from '../../src/lib/accounts.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const { signal } = new AbortController()

const passwd = [
  'root:x:0:0:root:/root:/bin/bash',
  'pulsar:x:998:997::/home/pulsar:/bin/bash',
  '1000:x:2000:2000:a name of digits:/:/bin/sh',
  'broken:x:5',
  '',
].join('\n')
const group = 'root:x:0:\npulsar:x:997:ann,bob\n'

/** A getent of our own, or none; and files beside it. */
async function sources(getent?: string): Promise<AccountSources> {
  const directory = await tempDirectory()
  const [program, passwdFile, groupFile] = ['getent', 'passwd', 'group'].map((name) =>
    join(directory, name),
  ) as [string, string, string]
  await writeFile(passwdFile, passwd)
  await writeFile(groupFile, group)
  if (getent !== undefined) {
    await writeFile(program, `#!/bin/sh\n${getent}\n`)
    await chmod(program, 0o755)
  }
  return { getent: program, passwd: passwdFile, group: groupFile }
}

describe('accounts', () => {
  it('of this machine are found by name and by number', async () => {
    const { username, uid, gid, homedir, shell } = userInfo()
    const self = { name: username, uid, gid, home: homedir, shell }
    expect(await lookUpUser(username, signal)).toEqual(self)
    expect(await lookUpUserById(uid, signal)).toEqual(self)
    const [root] = [await lookUpGroupById(0, signal)]
    expect(await lookUpGroup(root?.name ?? '', signal)).toEqual({ name: root?.name, gid: 0 })
    expect(await lookUpUser('magnetar-no-such-user', signal)).toBeUndefined()
    expect(await lookUpGroup('magnetar-no-such-group', signal)).toBeUndefined()
    expect(await lookUpUserById(3_999_999_999, signal)).toBeUndefined()
  })

  it.each([
    ['with getent', 'grep "^$2:\\|^[^:]*:x:$2:" "$(dirname "$0")/$1" || exit 2'],
    ['without getent', undefined],
  ])('are found %s', async (_how, getent) => {
    const from = await sources(getent)
    const pulsar = { name: 'pulsar', uid: 998, gid: 997, home: '/home/pulsar', shell: '/bin/bash' }
    expect(await lookUpUser('pulsar', signal, from)).toEqual(pulsar)
    expect(await lookUpUserById(998, signal, from)).toEqual(pulsar)
    expect(await lookUpGroup('pulsar', signal, from)).toEqual({ name: 'pulsar', gid: 997 })
    expect(await lookUpGroupById(997, signal, from)).toEqual({ name: 'pulsar', gid: 997 })
    expect(await lookUpUser('nobody-here', signal, from)).toBeUndefined()
    expect(await lookUpUserById(1, signal, from)).toBeUndefined()
    for (const name of ['', '-h', '998', 'broken'])
      expect(await lookUpUser(name, signal, from), name).toBeUndefined()
    expect(await lookUpUser('1000', signal, from)).toMatchObject({ uid: 2000 })
    expect(await lookUpUserById(1000, signal, from)).toBeUndefined()
  })

  it('of a directory service may be spelled in another way than asked for', async () => {
    const from = await sources("echo 'ann@site.org:*:5001:5001:Ann:/home/pulsar/ann:/bin/zsh'")
    expect(await lookUpUser('Ann', signal, from)).toMatchObject({ name: 'ann@site.org', uid: 5001 })
  })

  it('that cannot be looked up are not taken for unknown', async () => {
    const from = await sources('echo "cannot contact any server" >&2; exit 1')
    await expect(lookUpUser('pulsar', signal, from)).rejects.toMatchObject({
      code: 'SETUP_FAILED',
      message: expect.stringMatching(/getent passwd pulsar: cannot contact any server$/),
      fix: expect.stringContaining('/etc/nsswitch.conf'),
    })
  })

  it('are no longer looked for when it is aborted', async () => {
    const reason = new Error('enough')
    const from = await sources('sleep 60')
    const controller = new AbortController()
    const looking = lookUpUser('pulsar', controller.signal, from)
    controller.abort(reason)
    await expect(looking).rejects.toBe(reason)
  })
})
