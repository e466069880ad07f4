import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { runCommand } from '../../src/lib/exec.js'
import type { ActionSpec } from '../../src/staging/action.js'
import { freePort } from '../helpers/free-port.js'
import { waitFor, waitForEvent } from '../helpers/wait-for.js'

export interface PrivateSshd {
  readonly port: number
  /** A private key that it takes, and one that it does not; in no file. */
  readonly key: string
  readonly wrongKey: string
  /** What an action says about it. */
  readonly ssh: Required<Pick<ActionSpec, 'ssh_key' | 'ssh_user' | 'ssh_host' | 'ssh_port'>>
  /**
   * Until `open`, connections that move files (not those that run other commands) are cut after so many bytes of one direction, as when
   * the server's process is killed, or held there until the client gives up.
   */
  gate(what: 'cut' | 'hold', direction: 'from' | 'to', bytes: number): Promise<void>
  open(): Promise<void>
  /** Resolves when a connection is being held. */
  held(): Promise<void>
  stop(): Promise<void>
}

const sftpServers = [
  '/usr/lib/openssh/sftp-server',
  '/usr/libexec/openssh/sftp-server',
  '/usr/lib/ssh/sftp-server',
]

/** Why there can be no sshd of one's own here, as a sentence for `needs`; undefined: there can. */
export async function missingSshd(): Promise<string | undefined> {
  const absent = ['sshd', 'ssh', 'scp', 'ssh-keygen', 'rsync'].filter((name) => !findProgram(name))
  if (absent.length > 0) return `no ${absent.join(', ')} on this machine; run "npm run peers" as root`
  if (!findSftpServer()) return 'no sftp-server on this machine; install the one of OpenSSH'
  if (process.getuid?.() !== 0) return undefined
  const tried = await runCommand('unshare', ['-m', 'true'], { timeoutMs: 10_000 }).catch(() => undefined)
  return tried?.code === 0 ? undefined : 'no private /run can be made here for an sshd of root (unshare -m)'
}

/** An sshd on loopback with all that is its own in `directory`, for the current user. */
export async function startPrivateSshd(directory: string): Promise<PrivateSshd> {
  const sshd = findProgram('sshd')
  const sftpServer = findSftpServer()
  if (!sshd || !sftpServer) throw new Error('no sshd')
  await mkdir(directory, { recursive: true })
  const at = (name: string): string => join(directory, name)
  for (const name of ['host', 'right', 'wrong']) {
    const args = ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)]
    await runCommand('ssh-keygen', args, { timeoutMs: 20_000 })
  }
  const [key, wrongKey] = [await readFile(at('right'), 'utf8'), await readFile(at('wrong'), 'utf8')]
  await Promise.all(['right', 'wrong'].map((name) => rm(at(name))))
  await writeFile(at('gate'), gateScript(directory))
  await chmod(at('gate'), 0o755)
  const port = await freePort()
  await writeFile(
    at('config'),
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${at('host')}
AuthorizedKeysFile ${at('right.pub')}
PidFile none
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
UseDNS no
MaxStartups 100
# What OpenSSH would take first, post-quantum, costs a sixth of a CPU second for each of hundreds of connections.
KexAlgorithms curve25519-sha256
Ciphers aes128-gcm@openssh.com
# No ~/.bashrc for each of them, nor anything else that this user has there.
SetEnv HOME=${directory}
PermitUserRC no
Subsystem sftp ${sftpServer}
ForceCommand ${at('gate')}
`,
  )
  const child = spawnSshd(sshd, at('config'))
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  await waitFor(
    () => {
      if (child.exitCode !== null) throw new Error(`sshd ended: ${log}`)
      return log.includes('Server listening on')
    },
    { what: 'sshd' },
  )
  return {
    port,
    key,
    wrongKey,
    ssh: { ssh_key: key, ssh_user: userInfo().username, ssh_host: '127.0.0.1', ssh_port: port },
    async gate(what, direction, bytes) {
      await rm(at('held'), { force: true })
      await writeFile(at('mode'), `${what}-${direction} ${bytes}\n`)
    },
    open: () => rm(at('mode'), { force: true }),
    held: async () => {
      await waitFor(() => readFile(at('held')).catch(() => undefined), {
        what: 'held connection',
        timeoutMs: 60_000,
      })
    },
    async stop() {
      if (child.exitCode !== null) return
      const ended = waitForEvent(child, 'exit', { what: 'end of sshd' })
      child.kill('SIGTERM')
      await ended
    },
  }
}

/**
 * What sshd runs instead of the client's command. `pass` is what the network would be, up to so many bytes, each of which
 * it passes on at once; `cut` kills the process of the session, above this one.
 */
function gateScript(directory: string): string {
  return `#!/bin/sh
pass() { stdbuf -o0 head -c "$bytes"; }
run() { sh -c "$SSH_ORIGINAL_COMMAND"; }
cut() { kill -9 "$PPID"; }
hold() { : > '${directory}/held'; cat > /dev/null; }
read mode bytes 2>/dev/null < '${directory}/mode' || mode=open
case "$SSH_ORIGINAL_COMMAND" in
  *rsync*--server* | *sftp-server* | scp\\ *) ;;
  *) mode=open ;;
esac
case "$mode" in
  cut-from) run | { pass; cut; } ;;
  cut-to) { pass; cut; } | run ;;
  hold-from) run | { pass; hold; } ;;
  hold-to) { pass; hold; } | run ;;
  *) run ;;
esac
`
}

/** sshd of root wants an empty /run/sshd: it gets a /run of its own, so that none is left on the machine. */
function spawnSshd(sshd: string, config: string): ChildProcess {
  const command = [sshd, '-D', '-e', '-f', config]
  const script = 'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd && exec "$@"'
  const wrapped = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', ...command]
  const [file = '', ...args] = process.getuid?.() === 0 ? wrapped : command
  return spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Daemons live in sbin, which is not on every user's PATH. */
function findProgram(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return directories.map((directory) => join(directory, name)).find(isProgram)
}

function findSftpServer(): string | undefined {
  return sftpServers.find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
