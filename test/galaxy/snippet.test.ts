import { SaxesParser } from 'saxes'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  type GalaxyDestination,
  renderJobConfXml,
  renderJobConfYaml,
  TOKEN_PLACEHOLDER,
  urlForGalaxy,
} from '../../src/galaxy/snippet.js'

/** The node of the exercise (reference/exercise.md §4). */
const exercise: GalaxyDestination = {
  id: 'pulsar',
  url: 'http://localhost:8913/',
  showToken: '/srv/pulsar/bin/magnetar token show',
  jobsDirectory: '/srv/pulsar/var/jobs',
}

const odd: GalaxyDestination = {
  id: 'a "b" & <c>',
  url: 'https://[::1]:8913/',
  showToken: "'/srv/it'\\''s -- here/bin/magnetar' token show",
  jobsDirectory: '/srv/a: b #c/jobs',
  manager: 'yes',
  defaultFileAction: 'transfer',
}

interface Element {
  name: string
  attributes: Record<string, string>
  text: string
}

/** All elements, with the text directly in each. @throws when it is not well-formed */
function elementsOf(xml: string): Element[] {
  const found: Element[] = []
  const open: Element[] = []
  const parser = new SaxesParser()
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes: attributes as Record<string, string>, text: '' }
    found.push(element)
    open.push(element)
  })
  parser.on('text', (text) => {
    const [last] = open.slice(-1)
    if (last) last.text += text.trim()
  })
  parser.on('closetag', () => open.pop())
  parser.write(`<job_conf>${xml}</job_conf>`).close()
  return found
}

const wanted = ({
  url,
  jobsDirectory,
  manager,
  defaultFileAction = 'remote_transfer',
}: GalaxyDestination) => ({
  url,
  ...(manager ? { manager } : {}),
  private_token: TOKEN_PLACEHOLDER,
  default_file_action: defaultFileAction,
  jobs_directory: jobsDirectory,
})

describe('the snippet for Galaxy', () => {
  it.each([
    ['the exercise', exercise],
    ['odd names', odd],
  ])('is YAML with runner, environment and tool: %s', (_what, destination) => {
    expect(parse(renderJobConfYaml(destination))).toEqual({
      runners: { pulsar_rest: { load: 'galaxy.jobs.runners.pulsar:PulsarRESTJobRunner' } },
      execution: {
        environments: { [destination.id]: { runner: 'pulsar_rest', ...wanted(destination) } },
      },
      tools: [{ id: 'multi', environment: destination.id }],
    })
  })

  it.each([
    ['the exercise', exercise],
    ['odd names', odd],
  ])('is XML with plugin, destination and tool: %s', (_what, destination) => {
    const elements = elementsOf(renderJobConfXml(destination, ['cat1']))
    const { id } = destination
    const named = (name: string) => elements.filter((element) => element.name === name)
    expect(named('plugin').map(({ attributes }) => attributes)).toEqual([
      { id: 'pulsar_rest', type: 'runner', load: 'galaxy.jobs.runners.pulsar:PulsarRESTJobRunner' },
    ])
    expect(named('destination').map(({ attributes }) => attributes)).toEqual([{ id, runner: 'pulsar_rest' }])
    expect(Object.fromEntries(named('param').map(({ attributes, text }) => [attributes.id, text]))).toEqual(
      wanted(destination),
    )
    expect(named('tool').map(({ attributes }) => attributes)).toEqual([{ id: 'cat1', destination: id }])
  })

  it('says how to see the token, and leaves it out where the node wants none', () => {
    expect(renderJobConfYaml(exercise)).toContain(
      `private_token: ${TOKEN_PLACEHOLDER}  # shown on the node by: /srv/pulsar/bin/magnetar token show\n`,
    )
    const open = { ...exercise, showToken: undefined }
    expect(renderJobConfYaml(open) + renderJobConfXml(open)).not.toContain('private_token')
  })

  it('says what Galaxy needs for the node to fetch files, and only then', () => {
    const needed = 'galaxy_infrastructure_url in galaxy.yml must be an address that the node reaches'
    expect(renderJobConfYaml(exercise)).toContain(`default_file_action: remote_transfer  # ${needed}\n`)
    expect(renderJobConfXml(exercise)).toContain(`<!-- ${needed} -->`)
    expect(renderJobConfYaml(odd) + renderJobConfXml(odd)).not.toContain('infrastructure')
  })

  it.each([
    ['localhost', false, 'http://localhost:8913/'],
    ['127.0.0.1', false, 'http://localhost:8913/'],
    ['0.0.0.0', true, 'https://node.example.org:8913/'],
    ['::', true, 'https://node.example.org:8913/'],
    ['10.1.2.3', true, 'https://10.1.2.3:8913/'],
    ['fe80::1', false, 'http://[fe80::1]:8913/'],
  ])('names the address by which Galaxy reaches a node that listens at %s', (host, tls, url) => {
    expect(urlForGalaxy({ host, port: 8913, tls, hostname: 'node.example.org' })).toBe(url)
  })
})
