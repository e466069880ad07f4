import type { StagingAction } from '../action.js'
import { TransferError } from '../transfer-error.js'

/**
 * Galaxy's object store, opened on the node itself, for which the Python server loads Galaxy's own code
 * (pulsar/client/action_mapper.py: RemoteObjectStoreCopyAction). Not done here: it fails, and says what to use.
 */
export const remoteObjectStoreCopy: StagingAction = {
  type: 'remote_object_store_copy',
  movedBy: 'node',
  stageIn: (action) => Promise.reject(refusal(`cannot fetch ${action.path ?? 'a file'}`)),
  stageOut: (action) => Promise.reject(refusal(`cannot deliver ${action.path ?? 'a file'}`)),
}

function refusal(what: string): TransferError {
  const why = `remote_object_store_copy ${what}: this node does not open Galaxy's object store`
  const fix =
    "use remote_transfer, or remote_copy where the files are mounted, in the destination's file actions"
  return new TransferError(`${why}; ${fix}`, { transient: false })
}
