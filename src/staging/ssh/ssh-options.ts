import type { SshPeer } from './peer.js'

/** A connection that has been silent for so long is given up. */
const ALIVE_SECONDS = 15
const ALIVE_COUNT = 8

/**
 * The options for ssh and scp. As in the Python server (pulsar/client/transport/ssh.py) the key of the host is not checked
 * (StrictHostKeyChecking=no): whoever can redirect connections to the host can read and change files on their way. It cannot learn
 * the private key. The rest of ~/.ssh/config holds, a ProxyJump for instance.
 */
export function sshOptions(peer: SshPeer, keyPath: string): string[] {
  const options = [
    `IdentityFile=${keyPath}`,
    // Not the keys of an agent, of which servers refuse too many.
    'IdentitiesOnly=yes',
    `User=${peer.user}`,
    ...(peer.port === undefined ? [] : [`Port=${peer.port}`]),
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'PreferredAuthentications=publickey',
    'PubkeyAuthentication=yes',
    'BatchMode=yes',
    'ConnectTimeout=30',
    'ConnectionAttempts=1',
    `ServerAliveInterval=${ALIVE_SECONDS}`,
    `ServerAliveCountMax=${ALIVE_COUNT}`,
    // A connection of its own, which ends with the transfer.
    'ControlMaster=no',
    'ControlPath=none',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'PermitLocalCommand=no',
    'RequestTTY=no',
    // Its warnings would be taken for the reason of a failure.
    'LogLevel=ERROR',
  ]
  return options.flatMap((option) => ['-o', option])
}
