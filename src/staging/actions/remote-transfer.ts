import type { ActionSpec, StagingAction } from '../action.js'
import { download } from '../http/download.js'
import { requireUrl } from '../http/require-url.js'
import { upload } from '../http/upload.js'

/** Files are fetched from and posted to Galaxy's endpoint for job files (pulsar/client/action_mapper.py: RemoteTransferAction). */
export const remoteTransfer: StagingAction = {
  type: 'remote_transfer',
  movedBy: 'node',
  stageIn: async (action: ActionSpec, to, tools) => download(requireUrl(action), to, tools),
  stageOut: async (action: ActionSpec, from, tools) => upload(requireUrl(action), from, tools),
}
