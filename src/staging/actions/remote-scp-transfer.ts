import { runCommand } from '../../lib/exec.js'
import type { PartFile } from '../../lib/part-file.js'
import type { ActionSpec, LocalFile, StagingAction, Transferred, TransferTools } from '../action.js'
import { commitUnlessAborted } from '../commit-unless-aborted.js'
import { disk } from '../http/disk.js'
import { type OpenOutput, openOutput } from '../open-output.js'
import { pathOfOurs } from '../ssh/key-file.js'
import { checkPart, openFreshPart } from '../ssh/local-part.js'
import { addressOf, readPeer, type SshPeer } from '../ssh/peer.js'
import { makeRoomCommand, removeCommand, takeNameCommand, temporaryPathFor } from '../ssh/remote-commands.js'
import { runProgram } from '../ssh/run-program.js'
import { deliverArgs, fetchArgs, type ScpProtocol, scpProtocolOf } from '../ssh/scp-command.js'
import { runRemotely, withKey } from '../ssh/session.js'
import { watchGrowth } from '../ssh/watch-growth.js'

/**
 * scp (pulsar/client/action_mapper.py: ScpTransferAction, transport/ssh.py). It cannot go on with a part: every attempt begins at the
 * first byte.
 */
export const remoteScpTransfer: StagingAction = {
  type: 'remote_scp_transfer',
  movedBy: 'node',
  stageIn,
  stageOut,
}

/** Nothing may run for ever; what scp itself does not notice is a file system that hangs on the other side. */
const MAX_MS = 7 * 24 * 3600_000
const STALL_MS = 30 * 60_000
/** An upload slower than this is as good as none. */
const MIN_BYTES_PER_MS = 8
const REMOVE_MS = 60_000

async function stageIn(action: ActionSpec, to: LocalFile, tools: TransferTools): Promise<Transferred> {
  const peer = readPeer(action)
  const doing = `scp from ${addressOf(peer)}`
  tools.signal.throwIfAborted()
  const part = await openFreshPart(to, tools)
  let bytes: number
  try {
    bytes = await fetch(peer, part, doing, tools)
  } catch (error) {
    await disk.discardNewFile(part)
    throw error
  }
  await commitUnlessAborted(part, tools.signal, disk.discardNewFile)
  return { bytes, resumedFrom: 0 }
}

async function fetch(peer: SshPeer, part: PartFile, doing: string, tools: TransferTools): Promise<number> {
  const target = pathOfOurs(part.fd)
  const watch = watchGrowth(part.fd, 0, {
    signal: tools.signal,
    stallMs: STALL_MS,
    doing,
    progress: (bytes) => tools.progress(bytes),
  })
  try {
    const protocol = await scpProtocol()
    await withKey(peer, (options) =>
      runProgram({
        program: 'scp',
        args: fetchArgs(peer, options, target, protocol),
        doing,
        names: [peer.path, target],
        timeoutMs: MAX_MS,
        signal: watch.signal,
      }),
    )
    const bytes = await checkPart(part, undefined, doing)
    if (bytes > watch.reported()) tools.progress(bytes - watch.reported())
    return bytes
  } finally {
    watch.stop()
  }
}

async function stageOut(action: ActionSpec, from: LocalFile, tools: TransferTools): Promise<Transferred> {
  const peer = readPeer(action)
  tools.signal.throwIfAborted()
  const output = await openOutput(from)
  try {
    await withKey(peer, (options) => deliver(peer, options, output, tools))
    tools.progress(output.size)
    return { bytes: output.size, resumedFrom: 0 }
  } finally {
    await output.close()
  }
}

async function deliver(
  peer: SshPeer,
  options: readonly string[],
  output: OpenOutput,
  { signal }: TransferTools,
): Promise<void> {
  const source = pathOfOurs(output.fd)
  const temporary = temporaryPathFor(peer.path)
  const protocol = await scpProtocol()
  await runRemotely(peer, options, makeRoomCommand(peer.path), signal)
  try {
    await runProgram({
      program: 'scp',
      args: deliverArgs(peer, options, source, temporary, protocol),
      doing: `scp to ${addressOf(peer)}`,
      names: [peer.path, temporary, source],
      timeoutMs: Math.min(MAX_MS, STALL_MS + output.size / MIN_BYTES_PER_MS),
      signal,
    })
  } catch (error) {
    if (!signal.aborted)
      await runRemotely(peer, options, removeCommand(temporary), signal, REMOVE_MS).catch(() => {})
    throw error
  }
  await output.checkSize()
  await runRemotely(peer, options, takeNameCommand(temporary, peer.path, output.size), signal)
}

let known: Promise<ScpProtocol> | undefined

function scpProtocol(): Promise<ScpProtocol> {
  known ??= runCommand('ssh', ['-V'], { timeoutMs: 10_000 }).then(
    ({ stderr }) => scpProtocolOf(stderr),
    // That there is no ssh is said by the transfer.
    () => 'sftp',
  )
  return known
}
