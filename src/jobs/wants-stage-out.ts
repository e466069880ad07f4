import { movesByNode } from '../staging/action-mapper.js'

interface Staging {
  readonly client_outputs?: unknown
  readonly action_mapper?: {
    readonly default_action?: unknown
    readonly paths?: readonly { readonly action?: unknown }[]
  } | null
}

/** Whether this node may have to deliver outputs of the job: some action of its mapper is neither the client's nor nobody's. */
export function wantsStageOut(remoteStaging: unknown): boolean {
  const { action_mapper: mapper, client_outputs: outputs } = (remoteStaging ?? {}) as Staging
  if (!mapper || !outputs) return false
  const actions = [mapper.default_action, ...(mapper.paths ?? []).map(({ action }) => action)]
  return actions.some((action) => movesByNode(String(action ?? 'transfer')))
}
