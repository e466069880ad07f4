/**
 * What a Galaxy server needs to send jobs to a node, as text to paste: the runner plugin, the destination, the mapping of a tool. In both
 * formats of Galaxy's job configuration (lib/galaxy/config/sample/job_conf.sample.yml, job_conf.xml.sample_advanced). Pure.
 */

export interface GalaxyDestination {
  /** Of the destination: `pulsar`. */
  readonly id: string
  /** As Galaxy reaches the node: `http://localhost:8913/`. */
  readonly url: string
  /** The command that shows the token on the node, for the comment; undefined: the node wants none. */
  readonly showToken: string | undefined
  /** The node's staging directory; undefined: whatever the node says. */
  readonly jobsDirectory: string | undefined
  /** The manager of the node that is meant; undefined: its default one. */
  readonly manager?: string
  readonly defaultFileAction?: DefaultFileAction
}

/** Who moves a job's files: the node fetches and delivers them (`remote_transfer`), or Galaxy does (`transfer`), or nobody has to (`none`). */
export type DefaultFileAction = 'transfer' | 'remote_transfer' | 'none'

/** Stands where the token belongs. The token itself is a secret, and what is printed stays in terminals and logs. */
export const TOKEN_PLACEHOLDER = 'PASTE_THE_PRIVATE_TOKEN_HERE'

const RUNNER = 'pulsar_rest'
const LOAD = 'galaxy.jobs.runners.pulsar:PulsarRESTJobRunner'
/** As in the training exercise: Galaxy's job handlers have nothing to do while files travel, and what is cut off goes on. */
const DEFAULT_FILE_ACTION: DefaultFileAction = 'remote_transfer'
/** What pull staging asks of Galaxy (lib/galaxy/jobs/runners/pulsar.py: galaxy_url, else galaxy_infrastructure_url, which is localhost by default). */
const REMOTE_TRANSFER_HINT =
  'galaxy_infrastructure_url in galaxy.yml must be an address that the node reaches'
const EXAMPLE_TOOL = 'multi'

/** For job_conf.yml. */
export function renderJobConfYaml(
  destination: GalaxyDestination,
  tools: readonly string[] = [EXAMPLE_TOOL],
): string {
  const parameters = parametersOf(destination).map(([name, value]) => {
    const hint = hintFor(name, value, destination)
    return `      ${name}: ${quoteForYaml(value)}${hint === undefined ? '' : `  # ${hint}`}`
  })
  return `${[
    'runners:',
    `  ${RUNNER}:`,
    `    load: ${LOAD}`,
    'execution:',
    '  environments:',
    `    ${quoteForYaml(destination.id)}:`,
    `      runner: ${RUNNER}`,
    ...parameters,
    'tools:',
    ...tools.flatMap((tool) => [
      `  - id: ${quoteForYaml(tool)}`,
      `    environment: ${quoteForYaml(destination.id)}`,
    ]),
  ].join('\n')}\n`
}

/** For job_conf.xml. */
export function renderJobConfXml(
  destination: GalaxyDestination,
  tools: readonly string[] = [EXAMPLE_TOOL],
): string {
  const id = escapeForXml(destination.id)
  const parameters = parametersOf(destination).flatMap(([name, value]) => {
    const line = `        <param id="${name}">${escapeForXml(value)}</param>`
    const hint = hintFor(name, value, destination)
    // Two hyphens may not stand in a comment.
    return hint === undefined ? [line] : [`        <!-- ${hint.replaceAll('--', '- -')} -->`, line]
  })
  return `${[
    '<!-- in <plugins> -->',
    `    <plugin id="${RUNNER}" type="runner" load="${LOAD}"/>`,
    '<!-- in <destinations> -->',
    `    <destination id="${id}" runner="${RUNNER}">`,
    ...parameters,
    '    </destination>',
    '<!-- in <tools> -->',
    ...tools.map((tool) => `    <tool id="${escapeForXml(tool)}" destination="${id}"/>`),
  ].join('\n')}\n`
}

function parametersOf(destination: GalaxyDestination): readonly (readonly [string, string])[] {
  const { url, showToken, manager, jobsDirectory, defaultFileAction = DEFAULT_FILE_ACTION } = destination
  return [
    ['url', url],
    ...(manager === undefined ? [] : [['manager', manager] as const]),
    ...(showToken === undefined ? [] : [['private_token', TOKEN_PLACEHOLDER] as const]),
    ['default_file_action', defaultFileAction],
    ...(jobsDirectory === undefined ? [] : [['jobs_directory', jobsDirectory] as const]),
  ]
}

/** What an admin has to know of a parameter. */
function hintFor(name: string, value: string, { showToken }: GalaxyDestination): string | undefined {
  if (name === 'private_token' && showToken) return `shown on the node by: ${showToken}`
  return name === 'default_file_action' && value === 'remote_transfer' ? REMOTE_TRANSFER_HINT : undefined
}

/** The url by which Galaxy reaches the node; `hostname` is the node's own name, for one that listens on every address. */
export function urlForGalaxy(node: {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly hostname: string
}): string {
  const everywhere = ['0.0.0.0', '::', ''].includes(node.host)
  const here = ['127.0.0.1', '::1'].includes(node.host)
  const host = everywhere ? node.hostname : here ? 'localhost' : node.host
  return `${node.tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${node.port}/`
}

/** Plain where YAML reads it as this very text. */
function quoteForYaml(text: string): string {
  if (
    /^(?:[A-Za-z_/][\w./-]*|https?:\/\/[\w.[\]:/-]+)$/.test(text) &&
    !/^(?:true|false|yes|no|on|off|null|y|n)$/i.test(text)
  )
    return text
  return JSON.stringify(text)
}

function escapeForXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

export { DEFAULT_FILE_ACTION, LOAD as REST_LOAD, RUNNER as REST_RUNNER }
