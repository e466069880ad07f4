import type { StagingAction } from '../action.js'

/** The path is the same on both sides: there is nothing to move (pulsar/client/action_mapper.py: NoneAction). */
export const none: StagingAction = { type: 'none', movedBy: 'nobody' }
