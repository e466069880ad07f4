import type { StagingAction } from '../action.js'

/** The client copies, on a file system that both sides share (pulsar/client/action_mapper.py: CopyAction). */
export const copy: StagingAction = { type: 'copy', movedBy: 'client' }
