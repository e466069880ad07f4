import { quoteForShell } from '../../lib/shell.js'
import { hostInAddress, type SshPeer } from './peer.js'

/**
 * How this machine's scp talks to the other host: by SFTP from itself (OpenSSH 9.0), by SFTP when told to (8.7), or by the old
 * protocol, in which the other host's shell reads the path.
 */
export type ScpProtocol = 'sftp' | 'sftp-by-option' | 'legacy'

/** Reads what `ssh -V` says, "OpenSSH_9.2p1 …"; of others nothing is known but that they can do the old protocol. */
export function scpProtocolOf(version: string): ScpProtocol {
  const [, major = '0', minor = '0'] = /OpenSSH_(\d+)\.(\d+)/.exec(version) ?? []
  const number = Number(major) * 100 + Number(minor)
  if (number >= 900) return 'sftp'
  return number >= 807 ? 'sftp-by-option' : 'legacy'
}

/** Arguments of the scp that brings the peer's file into `target`. */
export function fetchArgs(
  peer: SshPeer,
  options: readonly string[],
  target: string,
  protocol: ScpProtocol,
): string[] {
  const remote = protocol === 'legacy' ? quoteForShell(peer.path) : peer.path.replace(/[\\*?[\]{}~]/g, '\\$&')
  // -T: a path in quotes is not what the other side then says it sends.
  const unchecked = protocol === 'legacy' ? ['-T'] : []
  return [...commonArgs(options, protocol), ...unchecked, '--', `${hostInAddress(peer)}:${remote}`, target]
}

/** Arguments of the scp that delivers `source` to `target` on the peer. */
export function deliverArgs(
  peer: SshPeer,
  options: readonly string[],
  source: string,
  target: string,
  protocol: ScpProtocol,
): string[] {
  const remote = protocol === 'legacy' ? quoteForShell(target) : target
  return [...commonArgs(options, protocol), '--', source, `${hostInAddress(peer)}:${remote}`]
}

function commonArgs(options: readonly string[], protocol: ScpProtocol): string[] {
  // Not -q: with it ssh does not say why it failed.
  return [...(protocol === 'sftp-by-option' ? ['-s'] : []), ...options]
}
