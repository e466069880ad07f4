import { readdirSync, readFileSync } from 'node:fs'
import { structuredPatch } from 'diff'
import { describe, expect, it } from 'vitest'
import { connect } from '../../src/galaxy/connect.js'
import { disconnect } from '../../src/galaxy/disconnect.js'
import { formatOf } from '../../src/galaxy/format-of.js'
import type { Connection } from '../../src/galaxy/job-conf.js'
import { DEFAULT_FILE_ACTION } from '../../src/galaxy/snippet.js'

const FIXTURES = 'test/galaxy/fixtures'

const exercise: Connection = {
  destination: 'pulsar',
  url: 'http://localhost:8913/',
  token: 'foo',
  jobsDirectory: '/srv/pulsar/var/jobs',
  tools: ['multi'],
}

function fixture(name: string): string {
  return readFileSync(`${FIXTURES}/${name}`, 'utf8')
}

/** The lines that go and come, without their indentation. */
function changedLines(before: string, after: string): string[] {
  const { hunks } = structuredPatch('', '', before, after, '', '', { context: 0 })
  return hunks.flatMap(({ lines }) => lines.map((line) => `${line.charAt(0)} ${line.slice(1).trim()}`))
}

describe('the exercise', () => {
  it('gets the plugin, the destination and the mapping, the old one commented out with the reason', () => {
    const text = fixture('exercise.job_conf.xml')
    const { after, notes } = connect(formatOf(text, 'job_conf.xml'), text, exercise)
    expect(notes).toEqual([])
    expect(changedLines(text, after)).toEqual([
      '+ <!-- magnetar connect: runner pulsar_rest -->',
      '+ <plugin id="pulsar_rest" type="runner" load="galaxy.jobs.runners.pulsar:PulsarRESTJobRunner"/>',
      '+ <!-- magnetar connect: destination pulsar -->',
      '+ <destination id="pulsar" runner="pulsar_rest">',
      '+ <param id="url">http://localhost:8913/</param>',
      '+ <param id="private_token">foo</param>',
      `+ <param id="default_file_action">${DEFAULT_FILE_ACTION}</param>`,
      '+ <param id="jobs_directory">/srv/pulsar/var/jobs</param>',
      '+ </destination>',
      '- <tool id="multi" destination="slurm-2c"/>',
      '+ <!-- magnetar connect pulsar: tool multi, instead of <tool id="multi" destination="slurm-2c"/> -->',
      '+ <tool id="multi" destination="pulsar"/>',
    ])
  })
})

// The file of the training has a destination pulsar, and bwa is mapped to it.
const NODES: Readonly<Record<string, Connection>> = {
  'gtn-2023.job_conf.yml': { ...exercise, destination: 'node', tools: ['multi', 'bwa'] },
}

describe.each(readdirSync(FIXTURES))('%s', (name) => {
  const text = fixture(name)
  const format = formatOf(text, name)
  const node = NODES[name] ?? exercise
  const { after } = connect(format, text, node)

  it('keeps every line but those of tools that were mapped', () => {
    const gone = changedLines(text, after).filter((line) => line.startsWith('-'))
    const expected: Readonly<Record<string, readonly string[]>> = {
      'exercise.job_conf.xml': ['- <tool id="multi" destination="slurm-2c"/>'],
      'gtn-2023.job_conf.yml': ['- environment: pulsar'],
    }
    expect(gone).toEqual(expected[name] ?? [])
  })

  it('has nothing to do the second time', () => {
    expect(connect(format, after, node)).toMatchObject({ after, changes: [] })
  })

  it('is the same byte for byte after disconnect', () => {
    expect(disconnect(format, after, node.destination).after).toBe(text)
  })

  it('takes another address and token where the old ones are', () => {
    const moved = { ...node, url: 'https://new:8913/', token: 'other' }
    const changed = connect(format, after, moved)
    expect(changed.changes).toEqual([`change url, private_token of the destination ${node.destination}`])
    expect(changedLines(after, changed.after)).toHaveLength(4)
    expect(disconnect(format, changed.after, node.destination).after).toBe(text)
  })
})

describe('what is there already', () => {
  it('is used: a runner for Pulsar under another name, a destination that somebody pasted', () => {
    const text = fixture('issue105.job_conf.xml')
    const { after, changes } = connect(formatOf(text, 'job_conf.xml'), text, exercise)
    expect(changes).not.toContain('add the runner pulsar_rest')
    expect(after).toContain('<destination id="pulsar" runner="pulsar">')
    const pasted = after.replace(/ *<!-- magnetar connect.*-->\n/g, '')
    expect(connect(formatOf(pasted, 'job_conf.xml'), pasted, exercise).changes).toEqual([])
  })

  it.each([
    [
      'another destination',
      'runners: {r: {load: "galaxy.jobs.runners.pulsar:PulsarRESTJobRunner"}}\nexecution:\n  environments:\n    pulsar:\n      runner: r\n      url: http://elsewhere/\n',
      /job_conf.yml:4: there is a destination pulsar already.*url/,
      /--destination pulsar_2/,
    ],
    [
      'another kind of runner',
      'runners:\n  pulsar_rest:\n    load: a:b\n',
      /job_conf.yml:2: the runner pulsar_rest is not/,
      /--runner pulsar_rest_2/,
    ],
    [
      'an alias',
      'x: &x {a: {runner: b}}\nexecution:\n  environments: *x\n',
      /job_conf.yml:3: environments is an alias/,
      /write it out/,
    ],
    ['a broken file', 'runners:\n\tlocal: x\n', /job_conf.yml:2:/, /spaces|quotes/],
    [
      'a galaxy.yml that names another file',
      'galaxy:\n  job_config_file: config/job_conf.xml\n',
      /in another file/,
      /--job-conf config\/job_conf.xml/,
    ],
    ['some other YAML', 'a: b\n', /no job configuration/, /--job-conf/],
  ])('is refused with the line and the way out: %s', (_what, text, message, fix) => {
    const attempt = (): unknown => connect(formatOf(text, 'job_conf.yml'), text, exercise, 'job_conf.yml')
    expect(attempt).toThrow(
      expect.objectContaining({ code: 'EDIT_REFUSED', message: expect.stringMatching(message) }),
    )
    expect(attempt).toThrow(expect.objectContaining({ fix: expect.stringMatching(fix) }))
  })

  it.each([
    ['no XML', '<job_conf>\n<a>\n</job_conf>', /job_conf.xml:3: this is not well-formed XML/],
    ['another root', '<toolbox>\n</toolbox>', /job_conf.xml:1: the root element is toolbox/],
    [
      'bytes of another encoding',
      '<job_conf>\n\ufffd</job_conf>',
      /job_conf.xml:2: this is no text in UTF-8/,
    ],
  ])('is refused: %s', (_what, text, message) => {
    expect(() => connect(formatOf(text, 'job_conf.xml'), text, exercise, 'job_conf.xml')).toThrow(message)
  })
})

describe('disconnect', () => {
  const text = fixture('exercise.job_conf.xml')
  const format = formatOf(text, 'job_conf.xml')
  const { after } = connect(format, text, exercise)

  it('has nothing to do where nothing is', () => {
    expect(disconnect(format, text, 'pulsar')).toEqual({ after: text, changes: [], notes: [] })
  })

  it('leaves what others added, also in a section of ours, and says what still refers to it', () => {
    const bare = '<job_conf>\n  <plugins/>\n  <destinations/>\n</job_conf>\n'
    const connected = connect(formatOf(bare, 'x.xml'), bare, exercise).after
    const theirs = '<tool id="theirs" destination="pulsar"/>'
    const edited = connected.replace('</tools>', `  ${theirs}\n  </tools>`)
    const gone = disconnect(formatOf(edited, 'x.xml'), edited, 'pulsar', 'x.xml')
    expect(gone.after).toContain(`<tools>\n    ${theirs}\n  </tools>`)
    expect(gone.after).not.toContain('magnetar')
    expect(gone.notes).toEqual([expect.stringMatching(/x.xml:\d+: theirs is still sent to pulsar/)])
  })

  it('refuses while it is the default, and what it did not write', () => {
    const asDefault = after.replace('default="slurm"', 'default="pulsar"')
    expect(() => disconnect(format, asDefault, 'pulsar', 'x')).toThrow(/x:\d+: pulsar is the default/)
    expect(() => disconnect(format, text, 'slurm', 'x')).toThrow(
      /x:11: the destination slurm was not written/,
    )
  })

  it('takes connections of one tool back in the order in which they were put on each other', () => {
    const other = { ...exercise, destination: 'other' }
    const both = connect(format, after, other).after
    expect(() => disconnect(format, both, 'pulsar')).toThrow(/connected to other afterwards/)
    expect(disconnect(format, both, 'other').after).toBe(after)
  })
})

it('Galaxy gets a default destination where there was only one, and loses it again', () => {
  const text = 'execution:\n  environments:\n    local:\n      runner: local\n'
  const format = formatOf(text, 'job_conf.yml')
  const { after } = connect(format, text, exercise)
  expect(format.read(after).default).toBe('local')
  expect(disconnect(format, after, 'pulsar').after).toBe(text)
})

it('a mapping for jobs with certain parameters stays, beside the new one', () => {
  const text = 'tools:\n- id: multi\n  environment: a\n  params: {source: trackster}\n'
  const format = formatOf(text, 'job_conf.yml')
  const { after, notes } = connect(format, text, exercise)
  expect(format.read(after).tools.map(({ destination }) => destination)).toEqual(['a', 'pulsar'])
  expect(notes).toContainEqual(expect.stringMatching(/line 2: .* stays as it is/))
})
