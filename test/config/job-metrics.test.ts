import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { issuesOf, load } from './helpers.js'

const SAMPLES = new URL('fixtures/samples/', import.meta.url)

async function metricsOf(name: string, content: string) {
  const { jobMetrics, warnings } = await load({
    'app.yml': `job_metrics_config_file: ${name}\n`,
    [name]: content,
  })
  return { jobMetrics, warnings }
}

describe('the job metrics file', () => {
  it('is job_metrics_conf.xml beside app.yml unless told otherwise', async () => {
    const { jobMetrics } = await load({
      'app.yml': '',
      'job_metrics_conf.xml': '<job_metrics><hostname/></job_metrics>',
    })
    expect(jobMetrics).toEqual([{ type: 'hostname', options: {} }])
  })

  it('that is missing means core alone', async () => {
    expect((await load({ 'app.yml': 'job_metrics_config_file: /no/such.xml\n' })).jobMetrics).toEqual([
      { type: 'core', options: {} },
    ])
  })

  it('of a real site in XML gives the plugins in order, comments left out', async () => {
    const { jobMetrics, warnings } = await metricsOf(
      'm.xml',
      readFileSync(new URL('eu-de03.job_metrics_conf.xml', SAMPLES), 'utf8'),
    )
    expect(jobMetrics).toEqual([
      { type: 'core', options: {} },
      { type: 'cpuinfo', options: {} },
      { type: 'meminfo', options: {} },
      { type: 'env', options: { variables: 'CUDA_VISIBLE_DEVICES' } },
      { type: 'hostname', options: {} },
      { type: 'cgroup', options: { verbose: 'true' } },
    ])
    expect(warnings).toEqual([])
  })

  it('of a real site in YAML gives the same form', async () => {
    const { jobMetrics } = await metricsOf(
      'm.yml',
      readFileSync(new URL('org-jetstream2.job_metrics_conf.yml', SAMPLES), 'utf8'),
    )
    expect(jobMetrics).toEqual([
      { type: 'core', options: {} },
      { type: 'cpuinfo', options: { verbose: 'true' } },
      { type: 'meminfo', options: {} },
      { type: 'uname', options: {} },
      { type: 'cgroup', options: {} },
    ])
  })

  it.each(['m.yaml', 'm.yml.sample', 'm.yaml.sample'])('is YAML by the name %s', async (name) => {
    const { jobMetrics } = await metricsOf(name, '- {type: cgroup, params: [a, b], version: 2}\n')
    expect(jobMetrics).toEqual([{ type: 'cgroup', options: { params: 'a,b', version: '2' } }])
  })

  it.each([
    ['m.xml', '<job_metrics><core/><collectl interval="1"/></job_metrics>'],
    ['m.yml', '- type: core\n- type: collectl\n  interval: 1\n'],
  ])('may name collectl (%s): one warning, and it is skipped', async (name, content) => {
    const { jobMetrics, warnings } = await metricsOf(name, content)
    expect(jobMetrics).toEqual([{ type: 'core', options: {} }])
    expect(warnings).toEqual([expect.stringContaining('the collectl plugin is gone')])
  })

  it.each([
    ['m.xml', '<job_metrics>\n<core/>\n<cpu_info/>\n</job_metrics>', 3, 'unknown job metrics plugin'],
    ['m.yml', '- type: core\n- type: cpu_info\n', 2, 'unknown job metrics plugin'],
    ['m.xml', '<job_metrics>\n<core>\n</job_metrics>', 3, 'is not well-formed XML'],
    ['m.xml', '', 1, 'is not well-formed XML'],
    ['m.xml', '<a>\n<cgroup version="3"/></a>', 2, 'expected one of auto, 1, 2, found "3"'],
    ['m.yml', '- verbose: true\n', 1, 'expected a plugin with its type'],
    ['m.yml', 'type: core\n', 1, 'expected a list of plugins'],
    ['m.yml', '', 1, 'expected a list of plugins'],
  ])('%s with %j is refused', async (name, content, line, message) => {
    const { issues } = await issuesOf(metricsOf(name, content))
    expect(issues).toMatchObject([{ line, message: expect.stringContaining(message) }])
  })
})
