import type { ActionSpec } from './action.js'
import {
  readTextOrNumber,
  requireRecord,
  requireText,
  type WireProblems,
  type WireRecord,
} from './wire-values.js'

/** One file to be staged in: an element of `remote_staging.setup`. */
export interface SetupEntry {
  /** Relative to the directory of the type. */
  readonly name: string
  /** Path type: "input". */
  readonly type: string
  readonly action: ActionSpec
}

/**
 * Reads an element of `setup`. An action type that is unknown is kept: whoever is to run it says that it cannot be done.
 * @param sharedKey the action mapper's ssh_key when it has one, even a null; it goes over the action's own
 *   (pulsar/managers/stateful.py: do_preprocess)
 */
export function readSetupEntry(
  value: unknown,
  where: string,
  sharedKey: { readonly ssh_key: unknown } | undefined,
  problems: WireProblems,
): SetupEntry {
  const entry = requireRecord(value, where, problems)
  const action = requireRecord(entry.action, `${where}.action`, problems)
  return {
    name: requireText(entry.name, `${where}.name`, problems),
    type: requireText(entry.type, `${where}.type`, problems),
    action: readAction({ ...action, ...sharedKey }, `${where}.action`, problems),
  }
}

/** pulsar/client/action_mapper.py: from_dict, and that of each action */
function readAction(action: WireRecord, where: string, problems: WireProblems): ActionSpec {
  const type = requireText(action.action_type, `${where}.action_type`, problems)
  switch (type) {
    case 'message':
      return { action_type: type, contents: requireText(action.contents, `${where}.contents`, problems) }
    case 'remote_transfer':
    case 'remote_transfer_tus':
      return {
        action_type: type,
        path: readPath(action, where, problems),
        url: requireText(action.url, `${where}.url`, problems),
      }
    case 'remote_rsync_transfer':
    case 'remote_scp_transfer': {
      const port = readTextOrNumber(action.ssh_port, `${where}.ssh_port`, problems)
      return {
        action_type: type,
        path: readPath(action, where, problems),
        ssh_key: requireText(action.ssh_key, `${where}.ssh_key`, problems),
        ssh_user: requireText(action.ssh_user, `${where}.ssh_user`, problems),
        ssh_host: requireText(action.ssh_host, `${where}.ssh_host`, problems),
        ...(port === undefined ? {} : { ssh_port: port }),
      }
    }
    case 'remote_copy':
      return { action_type: type, path: readPath(action, where, problems) }
    default:
      return { action_type: type, ...(typeof action.path === 'string' ? { path: action.path } : {}) }
  }
}

/** Old clients send `path` alone, newer ones `source` and, for old servers, the same path beside it. */
function readPath(action: WireRecord, where: string, problems: WireProblems): string {
  if (!('source' in action)) return requireText(action.path, `${where}.path`, problems)
  const source = requireRecord(action.source, `${where}.source`, problems)
  return requireText(source.path, `${where}.source.path`, problems)
}
