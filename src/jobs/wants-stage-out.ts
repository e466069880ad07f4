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
