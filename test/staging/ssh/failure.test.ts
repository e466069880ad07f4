import { describe, expect, it } from 'vitest'
import { programFailure } from '../../../src/staging/ssh/failure.js'

type Program = 'rsync' | 'scp' | 'ssh'

function failureOf(program: Program, code: number | null, stderr: string, more: { timedOut?: boolean } = {}) {
  const signal = code === null ? 'SIGKILL' : null
  return programFailure(
    { code, signal, stdout: '', stderr, timedOut: more.timedOut ?? false, truncated: false },
    { program, doing: `${program} from h:/d/f`, names: ['/d/f'] },
  )
}

/** What rsync 3.2 and 3.5, and OpenSSH 9.2 write. */
const recorded: readonly (readonly [Program, number, string, boolean, RegExp])[] = [
  [
    'rsync',
    255,
    'ssh: connect to host 127.0.0.1 port 1: Connection refused\r\nrsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\nrsync error: unexplained error (code 255) at io.c(232) [Receiver=3.2.7]\n',
    true,
    /^rsync from h:\/d\/f failed: ssh: connect to host 127\.0\.0\.1 port 1: Connection refused \(exit code 255\)$/,
  ],
  [
    'rsync',
    255,
    'galaxy@127.0.0.1: Permission denied (publickey).\r\nrsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\nrsync error: unexplained error (code 255) at io.c(232) [Receiver=3.2.7]\n',
    false,
    /Permission denied \(publickey\).*authorized_keys of that user/,
  ],
  [
    'rsync',
    23,
    'rsync: [sender] link_stat "/d/f" failed: No such file or directory (2)\nrsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1865) [Receiver=3.2.7]\nrsync: [Receiver] write error: Broken pipe (32)\n',
    false,
    /failed: rsync: \[sender\] link_stat/,
  ],
  [
    'rsync',
    11,
    'rsync: [receiver] write failed on "/d/f": No space left on device (28)\nrsync error: error in file IO (code 11) at receiver.c(380) [receiver=3.2.7]\n',
    true,
    /failed: rsync: \[receiver\] write failed on "\/d\/f": No space left on device/,
  ],
  [
    'rsync',
    12,
    'rsync error: error in rsync protocol data stream (code 12) at io.c(232) [sender=3.2.7]\n',
    true,
    /code 12/,
  ],
  [
    'rsync',
    30,
    'rsync error: timeout in data send/receive (code 30) at io.c(202) [receiver=3.2.7]\n',
    true,
    /timeout/,
  ],
  [
    'rsync',
    127,
    'bash: line 1: rsync: command not found\nrsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\nrsync error: remote command not found (code 127) at io.c(232) [Receiver=3.2.7]\n',
    false,
    /command not found.*rsync must be installed there too/,
  ],
  [
    'rsync',
    2,
    'protocol version mismatch -- is your shell clean?\n(see the rsync manpage for an explanation)\nrsync error: protocol incompatibility (code 2)\n',
    false,
    /is your shell clean/,
  ],
  [
    'rsync',
    23,
    'WARNING: f failed verification -- update discarded (will try again).\n',
    true,
    /failed verification/,
  ],
  [
    'rsync',
    1,
    'rsync: --bogus: unknown option\nrsync error: syntax or usage error (code 1)\n',
    false,
    /unknown option/,
  ],
  [
    'scp',
    255,
    'ssh: connect to host 10.0.0.1 port 22: Connection timed out\r\nscp: Connection closed\r\n',
    true,
    /timed out/,
  ],
  [
    'scp',
    255,
    'kex_exchange_identification: read: Connection reset by peer\r\nscp: Connection closed\r\n',
    true,
    /reset/,
  ],
  ['scp', 255, 'scp: Connection closed\r\n', true, /failed: scp: Connection closed \(/],
  ['scp', 1, 'scp: remote open "/d/f": Permission denied\n', false, /Permission denied/],
  ['scp', 1, 'scp: /d/f: No such file or directory\n', false, /No such file/],
  ['scp', 1, 'scp: write remote "/d/f": Failure\n', true, /Failure/],
  ['scp', 1, 'scp: d: not a regular file\n', false, /not a regular file/],
  ['ssh', 255, 'ssh: Could not resolve hostname galaxy: Name or service not known\r\n', true, /resolve/],
  [
    'ssh',
    255,
    'Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa\r\n',
    false,
    /negotiate/,
  ],
  [
    'ssh',
    255,
    'Load key "/proc/1/fd/9": incorrect passphrase supplied to decrypt private key\r\ng@h: Permission denied (publickey).\r\n',
    false,
    /authorized_keys/,
  ],
  ['ssh', 255, 'Load key "/proc/1/fd/9": invalid format\r\n', false, /without a passphrase/],
  ['ssh', 1, "mkdir: cannot create directory '/d': Permission denied\n", false, /Permission denied/],
  ['ssh', 1, "mkdir: cannot create directory '/d': No space left on device\n", true, /No space/],
  ['ssh', 22, '4 of 8 bytes arrived: incomplete\n', true, /incomplete/],
  ['ssh', 21, '/d/f: Is a directory\n', false, /Is a directory/],
  ['ssh', 1, 'This service allows sftp connections only.\n', false, /sftp connections only/],
  ['ssh', 255, '', true, /did not say why/],
]

describe('a program that did not end well', () => {
  it.each(recorded)('%s, exit code %i: %j', (program, code, stderr, transient, words) => {
    const failure = failureOf(program, code, stderr)
    expect(failure).toMatchObject({ transient, message: expect.stringMatching(words), missingFile: false })
  })

  it('is not judged by the name of a file', () => {
    const named = (name: string, words: string): boolean =>
      programFailure(
        { code: 1, signal: null, stdout: '', stderr: words, timedOut: false, truncated: false },
        { program: 'scp', doing: 'scp', names: [name] },
      ).transient
    expect(named('/d/Connection refused', 'scp: /d/Connection refused: odd\n')).toBe(false)
    expect(named('/d/No such file', 'scp: write remote "/d/No such file": Failure\n')).toBe(true)
  })

  it('may be tried again when it was killed or took too long', () => {
    expect(failureOf('scp', null, '')).toMatchObject({
      transient: true,
      message: 'scp from h:/d/f was ended by SIGKILL',
    })
    expect(failureOf('scp', 1, '', { timedOut: true })).toMatchObject({
      transient: true,
      message: 'scp from h:/d/f did not end in time',
    })
  })

  it('is described in one line of reasonable length, without control characters', () => {
    const { message } = failureOf('ssh', 1, `\x1b[31m${'x'.repeat(5000)}\x07\n\n`)
    expect(message).toMatch(/^ssh from h:\/d\/f failed: {1,2}\[31mx+… \(exit code 1\)$/)
    expect(message.length).toBeLessThan(500)
  })
})
