import { findAction } from '../staging/actions/index.js'
import { planOutputs } from '../staging/collect-outputs.js'
import type { PlannedOutput } from '../staging/output-plan.js'
import { parseRemoteStaging } from '../staging/remote-staging.js'
import { TransferError } from '../staging/transfer-error.js'
import { disk } from './disk/disk.js'
import { uploadTarget } from './file-types.js'
import type { Job, ManagerContext } from './job.js'
import { type FileToMove, moveFiles, reasonOf } from './move-files.js'
import type { SubmitRequest } from './types.js'

/** The client's own work, or nobody's. */
const NOT_OURS: ReadonlySet<unknown> = new Set(['none', 'transfer', 'copy', 'rewrite'])

interface Staging {
  readonly client_outputs?: unknown
  readonly action_mapper?: {
    readonly default_action?: unknown
    readonly paths?: readonly { readonly action?: unknown }[]
  } | null
}

/** Whether this node may have to deliver outputs of the job: some action of its mapper is not the client's. */
export function wantsStageOut(remoteStaging: unknown): boolean {
  const { action_mapper: mapper, client_outputs: outputs } = (remoteStaging ?? {}) as Staging
  if (!mapper || !outputs) return false
  const actions = [
    mapper.default_action ?? 'transfer',
    ...(mapper.paths ?? []).map((each) => each.action ?? 'transfer'),
  ]
  return actions.some((action) => !NOT_OURS.has(action))
}

const SHOWN_FAILURES = 5

/**
 * Delivers what the job made (pulsar/managers/staging/post.py). Resolves when every file was delivered or given up, with the
 * reason why the job failed; undefined: everything arrived. @throws the signal's reason
 */
export async function stageOut(
  context: ManagerContext,
  job: Job,
  launch: SubmitRequest,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { mapper, clientOutputs } = parseRemoteStaging(launch.remote_staging)
  if (!mapper) return undefined
  const results = await disk.readResults(job.directory.path, 0)
  const { working, metadata, top } = results
  const plan = planOutputs({
    mapper,
    clientOutputs,
    listings: { working, metadata, outputs: results.outputs, jobdir: top },
    dynamicFiles: results.dynamicFiles,
  })
  for (const warning of plan.warnings) context.log.warn({ job: job.id }, warning)
  const failures = [...plan.failures]
  const files = plan.outputs.flatMap((output) => fileToMove(context, job, output, failures))
  await moveFiles(context, job, 'out', files, signal)
  if (failures.length === 0) return undefined
  const more = failures.length > SHOWN_FAILURES ? [`and ${failures.length - SHOWN_FAILURES} more`] : []
  return [
    `${failures.length} of the job's outputs could not be delivered to Galaxy:`,
    ...failures.slice(0, SHOWN_FAILURES),
    ...more,
  ].join('\n')
}

function fileToMove(
  context: ManagerContext,
  job: Job,
  output: PlannedOutput,
  failures: string[],
): FileToMove[] {
  const what = `${output.type} ${output.name}`
  const giveUp = (error: unknown): void => {
    const forgiven = isForgiven(output, error)
    context.log.child({ job: job.id })[forgiven ? 'warn' : 'error'](`not delivered: ${reasonOf(what, error)}`)
    if (!forgiven) failures.push(reasonOf(what, error))
  }
  try {
    const action = findAction(output.action.action_type)
    if (action.movedBy !== 'node') return []
    const { stageOut: move } = action
    if (!move)
      throw new TransferError(`this node cannot deliver a file by the action ${action.type}`, {
        transient: false,
      })
    return [
      {
        action: output.action,
        what,
        local: uploadTarget(job.directory.path, output.type, output.name),
        move: (spec, local, tools) => move.call(action, spec, local, tools),
        onGiveUp: giveUp,
      },
    ]
  } catch (error) {
    giveUp(error)
    return []
  }
}

/**
 * What does not fail the job (reference: staging §5.2): Galaxy says that it does not want the file (403: its job is over or
 * paused there), or an output in the working directory that the tool did not make.
 */
function isForgiven(output: PlannedOutput, error: unknown): boolean {
  if (!(error instanceof TransferError)) return false
  return error.status === 403 || (error.missingFile && output.mayBeMissing)
}
