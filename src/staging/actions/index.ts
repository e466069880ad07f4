import type { StagingAction } from '../action.js'
import { TransferError } from '../transfer-error.js'
import { copy } from './copy.js'
import { message } from './message.js'
import { none } from './none.js'
import { remoteCopy } from './remote-copy.js'
import { remoteObjectStoreCopy } from './remote-object-store-copy.js'
import { remoteRsyncTransfer } from './remote-rsync-transfer.js'
import { remoteScpTransfer } from './remote-scp-transfer.js'
import { remoteTransfer } from './remote-transfer.js'
import { remoteTransferTus } from './remote-transfer-tus.js'
import { rewrite } from './rewrite.js'
import { transfer } from './transfer.js'

const actions: ReadonlyMap<string, StagingAction> = new Map(
  [
    none,
    rewrite,
    transfer,
    copy,
    remoteCopy,
    remoteTransfer,
    remoteTransferTus,
    remoteRsyncTransfer,
    remoteScpTransfer,
    remoteObjectStoreCopy,
    message,
  ].map((action) => [action.type, action]),
)

/**
 * The action of a type, the wire's name (pulsar/client/action_mapper.py: ACTION_CLASSES, and MessageAction).
 * @throws TransferError permanent, when there is none
 */
export function findAction(type: string): StagingAction {
  const action = actions.get(type)
  if (action) return action
  const known = [...actions.keys()].join(', ')
  const given = JSON.stringify(type.length > 100 ? `${type.slice(0, 100)}…` : type)
  throw new TransferError(`there is no action ${given}; this node knows ${known}`, { transient: false })
}
