/** Actions in which this node would have to move the file (pulsar/client/action_mapper.py). */
const NODE_ACTIONS = /^remote_|^message$|^json_/

interface Staging {
  readonly setup?: readonly unknown[]
  readonly action_mapper?: {
    readonly default_action?: unknown
    readonly paths?: readonly { readonly action?: unknown }[]
  }
}

/**
 * Why a job with this `remote_staging` cannot run: this release takes files that are sent to it and does not fetch or post
 * any by itself. undefined: it can.
 */
export function unsupportedStaging(remoteStaging: unknown): string | undefined {
  const staging = (remoteStaging ?? {}) as Staging
  const actions = [
    staging.action_mapper?.default_action,
    ...(staging.action_mapper?.paths ?? []).map((each) => each.action),
  ]
  const wanted = actions.find((action) => typeof action === 'string' && NODE_ACTIONS.test(action))
  if (!wanted && !(Array.isArray(staging.setup) && staging.setup.length > 0)) return undefined
  return (
    'it asks this node to fetch its inputs or post its outputs, which this release does not do. ' +
    'Set default_file_action to "transfer" in the destination on the Galaxy server.'
  )
}
