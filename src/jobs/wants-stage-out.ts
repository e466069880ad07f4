import { movesByNode } from '../staging/action-mapper.js'

interface Staging {
  readonly client_outputs?: unknown
  readonly action_mapper?: unknown
}

interface Mapper {
  readonly default_action?: unknown
  readonly paths?: unknown
}

/**
 * Whether this node may have to deliver outputs of the job: some action of its mapper is neither the client's nor nobody's. True also for a
 * mapper that makes no sense: the delivery says so, where it would be forgotten in silence.
 */
export function wantsStageOut(remoteStaging: unknown): boolean {
  const { action_mapper: mapper, client_outputs: outputs } = (remoteStaging ?? {}) as Staging
  if (!mapper || !outputs) return false
  const { default_action: defaultAction, paths } = mapper as Mapper
  if (typeof mapper !== 'object' || Array.isArray(mapper)) return true
  if (paths !== undefined && paths !== null && !Array.isArray(paths)) return true
  const entries: readonly unknown[] = paths ?? []
  return isOurs(defaultAction) || entries.some((entry) => isOurs(actionOf(entry)))
}

/** Of an entry that is none, something that nobody knows. */
function actionOf(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null) return ''
  return (entry as { readonly action?: unknown }).action
}

function isOurs(action: unknown): boolean {
  if (action === undefined || action === null) return false
  return typeof action !== 'string' || movesByNode(action)
}
