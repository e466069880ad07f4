import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../../../src/lib/exec.js'
import type { SshPeer } from '../../../src/staging/ssh/peer.js'
import {
  makeRoomCommand,
  removeCommand,
  sshArgs,
  takeNameCommand,
  temporaryPathFor,
} from '../../../src/staging/ssh/remote-commands.js'
import * as rsync from '../../../src/staging/ssh/rsync-command.js'
import * as scp from '../../../src/staging/ssh/scp-command.js'
import { sshOptions } from '../../../src/staging/ssh/ssh-options.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const peer: SshPeer = {
  user: 'galaxy',
  host: 'galaxy.example.org',
  port: 2222,
  key: 'the secret',
  path: '/data/f 1',
}
const options = sshOptions(peer, '/proc/1/fd/9')

describe('the options for ssh', () => {
  it('name the key only by its file, and never ask anybody', () => {
    expect(options.join(' ')).not.toContain('secret')
    expect(options).toEqual(
      expect.arrayContaining(['IdentityFile=/proc/1/fd/9', 'User=galaxy', 'Port=2222', 'BatchMode=yes']),
    )
  })

  it('leave the port to ssh when there is none', () => {
    expect(sshOptions({ ...peer, port: undefined }, '/k').filter((option) => /port/i.test(option))).toEqual(
      [],
    )
  })

  it('are all known to ssh', async () => {
    // -G prints what would be used, and connects to nobody.
    const { code, stdout, stderr } = await runCommand('ssh', ['-G', ...sshArgs(peer, options, 'true')], {
      timeoutMs: 20_000,
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^stricthostkeychecking (no|false)$/m)
    expect(stdout).toMatch(/^hostname galaxy\.example\.org$/m)
    expect(stdout).toMatch(/^batchmode yes$/m)
  })
})

describe('the commands for rsync', () => {
  it('end their options before names, and show the path to no shell', () => {
    const args = rsync.fetchArgs(peer, options, '/proc/1/fd/7/part')
    expect(args.slice(args.indexOf('--'))).toEqual([
      '--',
      'galaxy.example.org:/data/f 1',
      '/proc/1/fd/7/part',
    ])
    expect(args).toContain('--protect-args')
    expect(args).toContain('--inplace')
    const back = rsync.deliverArgs(peer, options, '/proc/1/fd/8')
    expect(back.slice(back.indexOf('--'))).toEqual(['--', '/proc/1/fd/8', 'galaxy.example.org:/data/f 1'])
    expect(back).not.toContain('--inplace')
  })

  it.each([
    ['/data/plain', '/data/plain', false],
    ['/data/back\\slash', '/data/back\\slash', false],
    ['/da[t]a/f', '/da\\[t]a/f', true],
    ['/d\\e/a*b\\c?', '/d\\e/a\\*b\\\\c\\?', true],
  ])('escape %s as rsync wants it', (given, expected, placeholder) => {
    const odd = { ...peer, path: given }
    expect(rsync.fetchArgs(odd, options, '/t').at(-2)).toBe(`galaxy.example.org:${expected}`)
    expect(rsync.needsPlaceholder(odd)).toBe(placeholder)
  })

  it('know the one sort of name that rsync refuses to fetch', () => {
    const canFetch = (name: string): boolean => rsync.canFetch({ ...peer, path: `/d\\*/${name}` })
    expect(['plain', 'back\\slash', '[1]', 'a*b?'].map(canFetch)).toEqual([true, true, true, true])
    expect(['a\\*b', '[\\]'].map(canFetch)).toEqual([false, false])
  })

  it("quote what ssh is given, as rsync's own splitting wants it", () => {
    const args = rsync.fetchArgs(peer, ['-o', "IdentityFile=/tmp/it's here/k"], '/t')
    expect(args[args.indexOf('-e') + 1]).toBe("ssh -o 'IdentityFile=/tmp/it''s here/k'")
  })

  it.each([
    [
      'rsync 3.2 and newer',
      `
Number of files: 1 (reg: 1)
Number of created files: 0
Number of deleted files: 0
Number of regular files transferred: 1
Total file size: 8,388,608 bytes
Total transferred file size: 8,388,608 bytes
Literal data: 6,294,160 bytes
Matched data: 2,094,448 bytes
File list size: 0
`,
      { files: 1, bytes: 8_388_608, matchedBytes: 2_094_448 },
    ],
    [
      'rsync 3.0',
      'Number of files: 1\nNumber of files transferred: 1\nTotal file size: 12 bytes\nTotal transferred file size: 12 bytes\nLiteral data: 12 bytes\nMatched data: 0 bytes\n',
      { files: 1, bytes: 12, matchedBytes: 0 },
    ],
    [
      'an rsync that skipped a directory',
      'skipping directory d\n\nNumber of files: 0\nNumber of regular files transferred: 0\nTotal file size: 0 bytes\nTotal transferred file size: 0 bytes\nLiteral data: 0 bytes\nMatched data: 0 bytes\n',
      { files: 0, bytes: 0, matchedBytes: 0 },
    ],
    ['something else', 'Welcome to our cluster!\n', undefined],
    ['nothing', '', undefined],
  ])('read the statistics of %s', (_what, text, expected) => {
    expect(rsync.parseStats(text)).toEqual(expected)
  })
})

describe('the commands for scp', () => {
  it.each([
    ['OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19', 'sftp'],
    ['OpenSSH_10.0p2, OpenSSL 3.5.1', 'sftp'],
    ['OpenSSH_8.9p1 Ubuntu-3ubuntu0.13, OpenSSL 3.0.2', 'sftp-by-option'],
    ['OpenSSH_8.7p1, OpenSSL 3.2.2', 'sftp-by-option'],
    ['OpenSSH_8.0p1, OpenSSL 1.1.1k  FIPS', 'legacy'],
    ['OpenSSH_7.4p1, OpenSSL 1.0.2k-fips', 'legacy'],
    ['Dropbear v2022.83', 'legacy'],
  ] as const)('know the protocol of %s', (version, protocol) => {
    expect(scp.scpProtocolOf(version)).toBe(protocol)
  })

  it('quote the path for whoever reads it', () => {
    const odd = { ...peer, path: "/d/a b[1]*'\\" }
    const remote = (protocol: scp.ScpProtocol): string | undefined =>
      scp.fetchArgs(odd, options, '/t', protocol).at(-2)?.slice('galaxy.example.org:'.length)
    expect(remote('sftp')).toBe("/d/a b\\[1\\]\\*'\\\\")
    expect(remote('sftp-by-option')).toBe(remote('sftp'))
    expect(remote('legacy')).toBe("'/d/a b[1]*'\\''\\'")
    expect(scp.deliverArgs(odd, options, '/s', odd.path, 'sftp').at(-1)).toBe(
      `galaxy.example.org:${odd.path}`,
    )
  })

  it('ask for the protocol only where they must', () => {
    const flags = (protocol: scp.ScpProtocol): string[] =>
      scp.fetchArgs(peer, [], '/t', protocol).filter((arg) => /^-[A-Za-z]$/.test(arg))
    expect(flags('sftp')).toEqual([])
    expect(flags('sftp-by-option')).toEqual(['-s'])
    expect(flags('legacy')).toEqual(['-T'])
  })
})

describe('the commands for the other host', () => {
  const run = (command: string, shell = 'sh') =>
    runCommand(shell, ['-c', command], { timeoutMs: 20_000, env: { ...process.env, LC_ALL: 'C' } })

  it.each([
    'plain',
    ' sp ace\'d "x"',
    'new\nline',
    '-dash',
    '$HOME `id` \\ ;#*',
    'ü',
  ])('take %j literally', async (name) => {
    const root = await tempDirectory()
    const file = path.join(root, name, name)
    expect(await run(makeRoomCommand(file))).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(await readdir(root)).toEqual([name])
    const temporary = temporaryPathFor(file)
    await writeFile(temporary, 'content')
    expect(await run(takeNameCommand(temporary, file, 7))).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(await readFile(file, 'utf8')).toBe('content')
    expect(await readdir(path.join(root, name))).toEqual([name])
    expect(await run(removeCommand(file))).toMatchObject({ code: 0 })
    expect(await readdir(path.join(root, name))).toEqual([])
  })

  it('make a placeholder only when told to and nothing is there', async () => {
    const root = await tempDirectory()
    const file = path.join(root, 'a*')
    await run(makeRoomCommand(file))
    expect(await readdir(root)).toEqual([])
    await run(makeRoomCommand(file, { placeholder: true }))
    expect(await readdir(root)).toEqual(['a*'])
    await writeFile(file, 'old')
    await run(makeRoomCommand(file, { placeholder: true }))
    expect(await readFile(file, 'utf8')).toBe('old')
  })

  it('refuse a directory where the file is to be, and one that cannot be made', async () => {
    const root = await tempDirectory()
    await mkdir(path.join(root, 'f'))
    await writeFile(path.join(root, 'g'), '')
    expect(await run(makeRoomCommand(path.join(root, 'f')))).toMatchObject({
      code: 21,
      stderr: expect.stringContaining('Is a directory'),
    })
    expect((await run(makeRoomCommand(path.join(root, 'g', 'f')))).code).not.toBe(0)
  })

  it('give no name to what is not complete, and leave nothing of it', async () => {
    const root = await tempDirectory()
    await writeFile(path.join(root, 'f'), 'old')
    await writeFile(path.join(root, 't'), 'half')
    expect(await run(takeNameCommand(path.join(root, 't'), path.join(root, 'f'), 8))).toMatchObject({
      code: 22,
      stderr: '4 of 8 bytes arrived: incomplete\n',
    })
    expect(await readdir(root)).toEqual(['f'])
    expect(await readFile(path.join(root, 'f'), 'utf8')).toBe('old')
    const gone = await run(takeNameCommand(path.join(root, 't'), path.join(root, 'f'), 8))
    expect(gone.code).not.toBe(0)
  })

  it('keep the mode of the file that is replaced', async () => {
    const root = await tempDirectory()
    await writeFile(path.join(root, 'f'), 'old')
    await chmod(path.join(root, 'f'), 0o664)
    await writeFile(path.join(root, 't'), 'new', { mode: 0o600 })
    await run(takeNameCommand(path.join(root, 't'), path.join(root, 'f'), 3))
    expect((await stat(path.join(root, 'f'))).mode & 0o777).toBe(0o664)
  })

  it('are understood by bash too', async () => {
    const root = await tempDirectory()
    await writeFile(path.join(root, 't'), 'new')
    expect(await run(takeNameCommand(path.join(root, 't'), path.join(root, "f'g"), 3), 'bash')).toMatchObject(
      { code: 0 },
    )
    expect(execFileSync('ls', [root], { encoding: 'utf8' })).toBe("f'g\n")
  })
})
