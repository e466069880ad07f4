import { refuseEdit } from '../lib/edit/refuse.js'
import { disconnect } from './disconnect.js'
import type { Connection, JobConf, JobConfFormat, Params } from './job-conf.js'
import { DEFAULT_FILE_ACTION, REST_LOAD, REST_RUNNER } from './snippet.js'

export interface JobConfEdit {
  readonly after: string
  /** What is done, as sentences without full stop and without secrets; empty: nothing to do. */
  readonly changes: readonly string[]
  /** What people should know all the same. */
  readonly notes: readonly string[]
}

/** A tool as Galaxy compares them (lib/galaxy/jobs/__init__.py). */
const sameTool = (a: string, b: string): boolean => toolKey(a) === toolKey(b)
const toolKey = (id: string): string => id.toLowerCase().replace(/\/+$/, '')

/**
 * Makes Galaxy send jobs to a node: the runner plugin, the destination, the tools. Everything else stays byte for byte. What is so already
 * is left as it is; a tool's former mapping is commented out, so that disconnect can put it back.
 * @throws MagnetarError EDIT_REFUSED, with line, when the file is not understood, or has something else under the names that are wanted
 */
export function connect(
  format: JobConfFormat,
  before: string,
  connection: Connection,
  file?: string,
): JobConfEdit {
  const changes: string[] = []
  const notes: string[] = []
  const start = format.read(before)
  let text = before
  const { id: runner, isNew } = chooseRunner(start, connection, file)
  if (isNew) {
    text = format.addRunner(text, runner, REST_LOAD)
    changes.push(`add the runner ${runner}`)
  }
  text = connectDestination(format, text, { start, connection, runner, file, changes, notes })
  for (const tool of connection.tools) text = connectTool(format, text, tool, connection, changes, notes)
  if (text !== before) prove(format, before, text, connection, file)
  return { after: text, changes, notes }
}

function chooseRunner(
  { runners, destinations }: JobConf,
  { runner, destination }: Connection,
  file: string | undefined,
): { readonly id: string; readonly isNew: boolean } {
  const isRest = (load: string): boolean => load === REST_LOAD || load.endsWith(':PulsarRESTJobRunner')
  const current = destinations.find(({ id }) => id === destination)?.runner
  const rest = runners.filter(({ load }) => isRest(load))
  const wanted = runner ?? rest.find(({ id }) => id === current)?.id ?? rest[0]?.id ?? REST_RUNNER
  const taken = runners.find(({ id }) => id === wanted)
  if (!taken) return { id: wanted, isNew: true }
  if (isRest(taken.load)) return { id: wanted, isNew: false }
  throw refuseEdit(
    { file, line: taken.line },
    `the runner ${wanted} is not one for a Pulsar node over REST (${REST_LOAD})`,
    `give another name: --runner ${freeName(
      wanted,
      runners.map(({ id }) => id),
    )}`,
  )
}

interface Work {
  readonly start: JobConf
  readonly connection: Connection
  readonly runner: string
  readonly file: string | undefined
  readonly changes: string[]
  readonly notes: string[]
}

function connectDestination(
  format: JobConfFormat,
  text: string,
  { start, connection, runner, file, changes, notes }: Work,
): string {
  const { destination: id } = connection
  const found = start.destinations.find((each) => each.id === id)
  if (!found) {
    changes.push(`add the destination ${id}: ${connection.url}`)
    const added = format.addDestination(text, id, runner, paramsOf(connection, true))
    const [only, second] = start.destinations
    if (!only) notes.push(`${id} is the only destination, so Galaxy sends every job there, also uploads`)
    if (!only || second || start.default !== undefined) return added
    // Galaxy takes the only destination for the default, and does not start with two and no default.
    changes.push(`make ${only.id}, which was the only destination, the default`)
    return format.addDefault(added, only.id)
  }
  const wanted = paramsOf(connection, false)
  const different = wanted.filter(([name, value]) => found.params.get(name) !== value)
  if (found.runner === runner && different.length === 0) return text
  const names = different.map(([name]) => name)
  const place = { file, line: found.line }
  if (found.runner !== runner) {
    const free = freeName(
      id,
      start.destinations.map((each) => each.id),
    )
    throw refuseEdit(
      place,
      `there is a destination ${id} already, with the runner ${found.runner || '(none)'}`,
      found.marker
        ? `take it away first: magnetar galaxy disconnect --destination ${id}`
        : `give another name (--destination ${free}), or remove it`,
    )
  }
  if (!found.marker)
    throw refuseEdit(
      place,
      `there is a destination ${id} already, written by somebody else, and it has another ${names.join(', ')}`,
      `give another name (--destination ${freeName(
        id,
        start.destinations.map((each) => each.id),
      )}), or correct it by hand`,
    )
  changes.push(`change ${names.join(', ')} of the destination ${id}`)
  return format.setParams(text, id, different)
}

function connectTool(
  format: JobConfFormat,
  text: string,
  tool: string,
  { destination }: Connection,
  changes: string[],
  notes: string[],
): string {
  const { tools } = format.read(text)
  const mappings = tools.flatMap((each, index) => (sameTool(each.id, tool) ? [{ ...each, index }] : []))
  for (const { isConditional, line, ...each } of mappings)
    if (isConditional && each.destination !== destination)
      notes.push(`line ${line}: the mapping of ${tool} for jobs with certain parameters stays as it is`)
  const plain = mappings.filter(({ isConditional }) => !isConditional)
  if (plain.length === 0) {
    changes.push(`send jobs of ${tool} to ${destination}`)
    return format.addTool(text, tool, destination)
  }
  // From the end, so that the places of the others stay.
  const others = plain.filter((each) => each.destination !== destination).toReversed()
  return others.reduce((current, { index, destination: former }) => {
    const instead = former === undefined ? '' : ` instead of ${former}`
    changes.push(`send jobs of ${tool} to ${destination}${instead}; the old line is commented out`)
    return format.replaceTool(current, index, destination)
  }, text)
}

function paramsOf(connection: Connection, isNew: boolean): Params {
  const { url, token, manager, defaultFileAction, jobsDirectory } = connection
  const action = defaultFileAction ?? (isNew ? DEFAULT_FILE_ACTION : undefined)
  const params: readonly (readonly [string, string | undefined])[] = [
    ['url', url],
    ['manager', manager],
    ['private_token', token],
    ['default_file_action', action],
    ['jobs_directory', jobsDirectory],
  ]
  return params.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
}

/** Reads what was written: all that was wanted is there, a second run has nothing to do, and disconnect gives the bytes back. */
function prove(
  format: JobConfFormat,
  before: string,
  after: string,
  connection: Connection,
  file: string | undefined,
): void {
  const { runners, destinations, tools } = format.read(after)
  const destination = destinations.find(({ id }) => id === connection.destination)
  const isThere =
    destination !== undefined &&
    runners.some(({ id }) => id === destination.runner) &&
    paramsOf(connection, false).every(([name, value]) => destination.params.get(name) === value) &&
    connection.tools.every((tool) =>
      tools.some((each) => sameTool(each.id, tool) && each.destination === connection.destination),
    )
  if (!isThere) throw refuseEdit({ file }, 'what was to be written is not what Galaxy would read')
  const wasThere = format
    .markers(before)
    .some(({ marker }) => [marker.destination, marker.id].includes(connection.destination))
  if (wasThere) return
  if (disconnect(format, after, connection.destination, file).after !== before)
    throw refuseEdit({ file }, 'the file cannot be changed so that the change can be taken back exactly')
}

function freeName(name: string, taken: readonly string[]): string {
  for (let number = 2; ; number++) if (!taken.includes(`${name}_${number}`)) return `${name}_${number}`
}
