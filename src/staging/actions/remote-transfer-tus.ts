import type { ActionSpec, StagingAction } from '../action.js'
import { download } from '../http/download.js'
import { requireUrl } from '../http/require-url.js'
import { uploadResumable } from '../http/tus.js'

/** Like remote_transfer, with uploads that can be continued (pulsar/client/action_mapper.py: RemoteTransferTusAction). */
export const remoteTransferTus: StagingAction = {
  type: 'remote_transfer_tus',
  movedBy: 'node',
  stageIn: async (action: ActionSpec, to, tools) => download(requireUrl(action), to, tools),
  stageOut: async (action: ActionSpec, from, tools) => uploadResumable(requireUrl(action), from, tools),
}
