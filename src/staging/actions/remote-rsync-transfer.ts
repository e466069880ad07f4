import { createKeyedLock } from '../../lib/keyed-lock.js'
import type { PartFile } from '../../lib/part-file.js'
import type { ActionSpec, LocalFile, StagingAction, Transferred, TransferTools } from '../action.js'
import { commitUnlessAborted } from '../commit-unless-aborted.js'
import { disk } from '../http/disk.js'
import { openOutput } from '../open-output.js'
import { pathOfOurs } from '../ssh/key-file.js'
import { checkPart, childPathOf, openResumedPart } from '../ssh/local-part.js'
import { addressOf, readPeer, type SshPeer } from '../ssh/peer.js'
import { makeRoomCommand } from '../ssh/remote-commands.js'
import {
  canFetch,
  deliverArgs,
  fetchArgs,
  needsPlaceholder,
  parseStats,
  type RsyncStats,
} from '../ssh/rsync-command.js'
import { runProgram } from '../ssh/run-program.js'
import { runRemotely, withKey } from '../ssh/session.js'
import { watchGrowth } from '../ssh/watch-growth.js'
import { TransferError } from '../transfer-error.js'

/**
 * rsync over ssh (pulsar/client/action_mapper.py: RsyncTransferAction, transport/ssh.py). Both ways an attempt goes on with what is
 * there; rsync compares checksums of all of it, so nothing is taken on trust.
 */
export const remoteRsyncTransfer: StagingAction = {
  type: 'remote_rsync_transfer',
  movedBy: 'node',
  stageIn: async (action, to, tools) => {
    const peer = readPeer(action)
    return locks.run(`${to.base}/${to.components.join('/')}`, () => bring(peer, to, tools))
  },
  stageOut,
}

/** Of two transfers to one file the second waits: they would write to one part. */
const locks = createKeyedLock()

/** rsync itself notices a connection that is silent; nothing may run for ever. */
const MAX_MS = 7 * 24 * 3600_000

async function bring(peer: SshPeer, to: LocalFile, tools: TransferTools): Promise<Transferred> {
  tools.signal.throwIfAborted()
  const doing = `rsync from ${addressOf(peer)}`
  if (!canFetch(peer)) {
    const why = 'rsync does not fetch a file with both a backslash and one of * ? [ in its name'
    throw new TransferError(`${doing} is impossible: ${why}; rename it, or use remote_scp_transfer`, {
      transient: false,
    })
  }
  const part = await openResumedPart(to, tools)
  let stats: RsyncStats
  try {
    stats = await fetch(peer, part, doing, tools)
    await checkPart(part, stats.bytes, doing)
  } catch (error) {
    await leave(part, error, tools)
    throw error
  }
  await commitUnlessAborted(part, tools.signal, disk.closePartFile)
  return { bytes: stats.bytes, resumedFrom: stats.matchedBytes }
}

async function fetch(
  peer: SshPeer,
  part: PartFile,
  doing: string,
  tools: TransferTools,
): Promise<RsyncStats> {
  const { signal } = tools
  const watch = watchGrowth(part.fd, part.size, { signal, doing, progress: (bytes) => tools.progress(bytes) })
  try {
    const stdout = await withKey(peer, (options) =>
      runProgram({
        program: 'rsync',
        args: fetchArgs(peer, options, childPathOf(part)),
        doing,
        names: [peer.path, childPathOf(part)],
        timeoutMs: MAX_MS,
        signal,
      }),
    )
    const stats = requireStats(stdout, doing, peer)
    const unreported = stats.bytes - stats.matchedBytes - watch.reported()
    if (unreported > 0) tools.progress(unreported)
    return stats
  } catch (error) {
    tools.kept?.(part.size + watch.reported())
    throw error
  } finally {
    watch.stop()
  }
}

/** After a failure: what is there waits for the next attempt, if there may be one. */
async function leave(part: PartFile, error: unknown, { signal }: TransferTools): Promise<void> {
  const again = signal.aborted || (error instanceof TransferError && error.transient)
  await (again ? disk.closePartFile(part) : disk.discardNewFile(part))
}

async function stageOut(action: ActionSpec, from: LocalFile, tools: TransferTools): Promise<Transferred> {
  const peer = readPeer(action)
  const doing = `rsync to ${addressOf(peer)}`
  const { signal } = tools
  signal.throwIfAborted()
  const output = await openOutput(from)
  const source = pathOfOurs(output.fd)
  try {
    return await withKey(peer, async (options) => {
      const placeholder = needsPlaceholder(peer)
      await runRemotely(peer, options, makeRoomCommand(peer.path, { placeholder }), signal)
      const stdout = await runProgram({
        program: 'rsync',
        args: deliverArgs(peer, options, source),
        doing,
        names: [peer.path, source],
        timeoutMs: MAX_MS,
        signal,
      })
      const stats = requireStats(stdout, doing, peer)
      await output.checkSize()
      if (stats.bytes !== output.size)
        throw new TransferError(`${doing}: ${stats.bytes} of ${output.size} bytes were sent`, {
          transient: true,
        })
      tools.progress(stats.bytes - stats.matchedBytes)
      return { bytes: stats.bytes, resumedFrom: stats.matchedBytes }
    })
  } finally {
    await output.close()
  }
}

/** rsync passes over what is no regular file, and is content with that. */
function requireStats(stdout: string, doing: string, peer: SshPeer): RsyncStats {
  const stats = parseStats(stdout)
  if (stats?.files === 1) return stats
  const why = stats ? `${peer.path} is not a regular file` : 'it did not say what it did'
  throw new TransferError(`${doing} moved nothing: ${why}`, { transient: false })
}
