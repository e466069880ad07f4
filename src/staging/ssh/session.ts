import { openKeyFile } from './key-file.js'
import { addressOf, type SshPeer } from './peer.js'
import { sshArgs } from './remote-commands.js'
import { runProgram } from './run-program.js'
import { sshOptions } from './ssh-options.js'

/** Enough to connect, log in and make a directory on a busy host. */
const COMMAND_MS = 5 * 60_000

/** Runs `use` with the options for ssh and scp; the key is there for so long. */
export async function withKey<T>(peer: SshPeer, use: (options: readonly string[]) => Promise<T>): Promise<T> {
  const key = openKeyFile(peer.key)
  try {
    return await use(sshOptions(peer, key.path))
  } finally {
    key.close()
  }
}

/** Runs a command on the peer. Errors as runProgram. */
export async function runRemotely(
  peer: SshPeer,
  options: readonly string[],
  command: string,
  signal: AbortSignal,
  timeoutMs = COMMAND_MS,
): Promise<void> {
  await runProgram({
    program: 'ssh',
    args: sshArgs(peer, options, command),
    doing: `ssh for ${addressOf(peer)}`,
    names: [peer.path],
    timeoutMs,
    signal,
  })
}
