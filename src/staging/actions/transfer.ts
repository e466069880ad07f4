import type { StagingAction } from '../action.js'

/** The client sends and fetches over Pulsar's own API (pulsar/client/action_mapper.py: TransferAction). */
export const transfer: StagingAction = { type: 'transfer', movedBy: 'client' }
