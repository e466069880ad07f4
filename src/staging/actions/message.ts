import type { ActionSpec, LocalFile, StagingAction, Transferred, TransferTools } from '../action.js'
import { commitUnlessAborted } from '../commit-unless-aborted.js'
import { disk, diskError } from '../http/disk.js'
import { TransferError } from '../transfer-error.js'

/** More than any submit can carry; a text that long belongs into a file. */
const MAX_BYTES = 64 * 1024 * 1024

/**
 * The file itself is in the action: its `contents` are written as UTF-8. Only for stage-in
 * (pulsar/client/action_mapper.py: MessageAction).
 */
export const message: StagingAction = { type: 'message', movedBy: 'node', stageIn }

async function stageIn(action: ActionSpec, to: LocalFile, tools: TransferTools): Promise<Transferred> {
  const name = to.components.join('/')
  if (action.contents === undefined)
    throw new TransferError(`the message for ${name} has no contents`, { transient: false })
  const content = Buffer.from(action.contents, 'utf8')
  if (content.length > MAX_BYTES) {
    const words = `the message for ${name} has ${content.length} bytes, more than ${MAX_BYTES}`
    throw new TransferError(`${words}; send it as a file`, { transient: false })
  }
  tools.signal.throwIfAborted()
  try {
    const file = await disk.writeNewFile(to.base, to.components, content)
    await commitUnlessAborted(file, tools.signal, disk.discardNewFile)
  } catch (error) {
    tools.signal.throwIfAborted()
    throw diskError(error, { write: to })
  }
  tools.progress(content.length)
  return { bytes: content.length, resumedFrom: 0 }
}
