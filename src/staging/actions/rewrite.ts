import type { StagingAction } from '../action.js'

/** Shared under another prefix, which the client writes into the command line (pulsar/client/action_mapper.py: RewriteAction). */
export const rewrite: StagingAction = { type: 'rewrite', movedBy: 'nobody' }
