import path from 'node:path'
import { parseRemoteStaging } from '../staging/remote-staging.js'
import { disk } from './disk/disk.js'
import { uploadTarget } from './file-types.js'
import type { Job, ManagerContext } from './job.js'
import { readLaunch } from './launch.js'
import { nameOf } from './move-files.js'
import { forgetTransfers } from './transfer-notes.js'

/**
 * Forgets of the inputs of a job that they are there, where somebody else has touched them: a Python server that fetches them once more
 * writes over them, and may have been killed in the middle.
 * @param sinceMs when they were all as we had left them
 */
export async function distrustInputs(context: ManagerContext, job: Job, sinceMs: number): Promise<void> {
  let inputs: { readonly file: string; readonly transfer: string }[]
  try {
    const { setup } = parseRemoteStaging((await readLaunch(job)).remote_staging)
    inputs = setup.map(({ name, type, action }) => {
      const local = uploadTarget(job.directory.path, type, name)
      return { file: path.join(local.base, ...local.components), transfer: nameOf('in', action, local) }
    })
  } catch {
    // Its stage-in says what is wrong.
    return
  }
  const changed = await disk.changedSince(
    inputs.map(({ file }) => file),
    sinceMs,
  )
  const only = new Set(changed.map((at) => inputs[at]?.transfer ?? ''))
  await forgetTransfers(context.store, context.config.name, job.id, { lazy: true, only })
}
