import type { LocalFile } from '../staging/action.js'
import { findAction } from '../staging/actions/index.js'
import { parseRemoteStaging } from '../staging/remote-staging.js'
import { TransferError } from '../staging/transfer-error.js'
import { uploadTarget } from './file-types.js'
import type { Job, ManagerContext } from './job.js'
import { type FileToMove, moveFiles, reasonOf } from './move-files.js'
import type { SubmitRequest } from './types.js'

/** Whether files have to be fetched before the job can be launched. What is no list is not passed over: the fetching says what is wrong. */
export function wantsStageIn(remoteStaging: unknown): boolean {
  const { setup } = (remoteStaging ?? {}) as { readonly setup?: unknown }
  return setup !== undefined && setup !== null && !(Array.isArray(setup) && setup.length === 0)
}

/**
 * Fetches what the job needs (pulsar/managers/staging/pre.py). Resolves when every file is there, complete.
 * @throws Error with the reason for the job; the signal's reason
 */
export async function stageIn(
  context: ManagerContext,
  job: Job,
  launch: SubmitRequest,
  signal: AbortSignal,
): Promise<void> {
  const staging = parseRemoteStaging(launch.remote_staging)
  const files = staging.setup.map(({ name, type, action }): FileToMove => {
    const what = `${type} ${name}`
    const found = findAction(action.action_type)
    const { stageIn: move } = found
    if (!move)
      throw new TransferError(`${what}: this node cannot fetch a file by the action ${action.action_type}`, {
        transient: false,
      })
    return {
      action,
      what,
      local: targetOf(job, type, name),
      move: (spec, local, tools) => move.call(found, spec, local, tools),
    }
  })
  await moveFiles(context, job, 'in', files, signal)
}

function targetOf(job: Job, type: string, name: string): LocalFile {
  try {
    return uploadTarget(job.directory.path, type, name)
  } catch (error) {
    const shown = JSON.stringify(name.slice(0, 200))
    throw new TransferError(reasonOf(`${type} ${shown}`, error), { transient: false, cause: error })
  }
}
