import {
  type ActionMapper,
  ALL_PATH_TYPES,
  DEFAULT_PATH_TYPES,
  type PathMapper,
  type PathRule,
  type SshProperties,
} from './action-mapper.js'
import {
  readList,
  readText,
  readTextOrNumber,
  requireRecord,
  requireText,
  type WireProblems,
  type WireRecord,
} from './wire-values.js'

/** Reads `remote_staging.action_mapper` (pulsar/client/action_mapper.py: FileActionMapper). */
export function readActionMapper(wire: WireRecord, problems: WireProblems): ActionMapper {
  const at = 'action_mapper'
  const port = readTextOrNumber(wire.ssh_port, `${at}.ssh_port`, problems)
  const texts = (['ssh_key', 'ssh_user', 'ssh_host'] as const).flatMap((name) => {
    const text = readText(wire[name], `${at}.${name}`, problems)
    return text === undefined ? [] : [[name, text] as const]
  })
  const ssh: SshProperties = {
    ...Object.fromEntries(texts),
    ...(port === undefined ? {} : { ssh_port: port }),
  }
  return {
    defaultAction:
      'default_action' in wire
        ? requireText(wire.default_action, `${at}.default_action`, problems)
        : 'transfer',
    filesEndpoint: readText(wire.files_endpoint, `${at}.files_endpoint`, problems),
    ssh,
    paths: readList(wire.paths, `${at}.paths`, problems).map((item, index) => {
      const where = `${at}.paths[${index}]`
      return readPathMapper(requireRecord(item, where, problems), where, problems)
    }),
  }
}

/** pulsar/client/action_mapper.py: BasePathMapper, _mappper_from_dict; `depth` counts for the client alone. */
function readPathMapper(wire: WireRecord, where: string, problems: WireProblems): PathMapper {
  const types = readText(wire.path_types, `${where}.path_types`, problems) ?? '*defaults*'
  const expanded = types
    .replaceAll('*defaults*', DEFAULT_PATH_TYPES.join(','))
    .replaceAll('*any*', ALL_PATH_TYPES.join(','))
  const action = 'action' in wire ? requireText(wire.action, `${where}.action`, problems) : 'transfer'
  if (action === 'rewrite') {
    requireText(wire.source_directory, `${where}.source_directory`, problems)
    requireText(wire.destination_directory, `${where}.destination_directory`, problems)
  }
  const ssh = Object.entries(wire).filter(([name]) => /^ssh_(key|user|host|port)$/.test(name))
  return {
    action,
    pathTypes: expanded.split(','),
    rule: 'path' in wire ? readRule(wire, where, problems) : undefined,
    ssh: Object.fromEntries(
      ssh.map(([name, value]) => [name, readTextOrNumber(value, `${where}.${name}`, problems) ?? null]),
    ),
  }
}

function readRule(wire: WireRecord, where: string, problems: WireProblems): PathRule | undefined {
  const path = requireText(wire.path, `${where}.path`, problems)
  const matchType = readText(wire.match_type, `${where}.match_type`, problems) ?? 'prefix'
  if (matchType === 'path_type_only') return undefined
  if (matchType === 'prefix' || matchType === 'glob' || matchType === 'regex') return { matchType, path }
  problems.wrong(`${where}.match_type`, 'prefix, glob, regex or path_type_only')
  return undefined
}
