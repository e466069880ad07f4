import { describe, expect, it } from 'vitest'
import { MagnetarError } from '../../src/lib/errors.js'
import { DEFAULT_DYNAMIC_OUTPUTS } from '../../src/staging/collectors.js'
import { parseRemoteStaging } from '../../src/staging/remote-staging.js'

function problemOf(value: unknown): string {
  try {
    parseRemoteStaging(value)
  } catch (error) {
    if (error instanceof MagnetarError && error.code === 'BAD_REQUEST') return error.message
    throw error
  }
  return 'none'
}

const url = 'https://galaxy.example/api/jobs/1/files?job_key=KEY&path=%2Fg%2Fa.dat&file_type=input'

describe('remote_staging', () => {
  it.each([undefined, null, {}])('may be missing: %j', (value) => {
    expect(parseRemoteStaging(value)).toMatchObject({ setup: [], mapper: undefined })
  })

  it('is read as the Python client sends it', () => {
    const staging = parseRemoteStaging({
      setup: [
        {
          name: 'dataset_0.dat',
          type: 'input',
          action: {
            path: '/g/a.dat',
            source: { path: '/g/a.dat', object_store_ref: null },
            action_type: 'remote_transfer',
            url,
          },
        },
        { name: 'config.txt', type: 'config', action: { contents: 'a=1\n', action_type: 'message' } },
      ],
      action_mapper: {
        default_action: 'remote_transfer',
        files_endpoint: 'https://galaxy.example/api/jobs/1/files?job_key=KEY',
        ssh_key: null,
        ssh_user: null,
        ssh_port: null,
        ssh_host: null,
        paths: [
          { action: 'transfer', path_types: 'unstructured', match_type: 'prefix', depth: 2, path: '/idx/' },
        ],
      },
      client_outputs: {
        working_directory: '/g/w',
        metadata_directory: '/g/m',
        job_directory: null,
        work_dir_outputs: [['/g/w/out', '/g/1.dat']],
        output_files: ['/g/1.dat'],
        version_file: '/g/version',
        dynamic_outputs: ['outputs_populated/.*'],
        dynamic_file_sources: null,
        dataset_collector_descriptions: [
          { discover_via: 'pattern', pattern: '__name__', directory: 'out', sort_key: 'filename' },
          { discover_via: 'tool_provided_metadata', directory: null },
          { from_provided_metadata: 'true' },
          { discover_via: 'pattern', pattern: 'x.*', directory: '' },
          {},
        ],
      },
    })
    expect(staging.setup).toEqual([
      {
        name: 'dataset_0.dat',
        type: 'input',
        action: { action_type: 'remote_transfer', path: '/g/a.dat', url },
      },
      { name: 'config.txt', type: 'config', action: { action_type: 'message', contents: 'a=1\n' } },
    ])
    expect(staging.mapper).toEqual({
      defaultAction: 'remote_transfer',
      filesEndpoint: 'https://galaxy.example/api/jobs/1/files?job_key=KEY',
      ssh: {},
      paths: [
        {
          action: 'transfer',
          pathTypes: ['unstructured'],
          rule: { matchType: 'prefix', path: '/idx/' },
          ssh: {},
        },
      ],
    })
    expect(staging.clientOutputs).toEqual({
      workingDirectory: '/g/w',
      metadataDirectory: '/g/m',
      jobDirectory: undefined,
      workDirOutputs: [{ source: '/g/w/out', destination: '/g/1.dat' }],
      outputFiles: ['/g/1.dat'],
      versionFile: '/g/version',
      dynamicOutputs: ['outputs_populated/.*'],
      collectors: [
        { pattern: '(?P<name>.*)', directory: 'out' },
        { pattern: 'x.*', directory: undefined },
        { pattern: expect.stringContaining('primary_DATASET_ID_'), directory: undefined },
      ],
    })
  })

  it('keeps what it does not know, untouched', () => {
    const wire = {
      ssh_key: 'K',
      later: { a: [1] },
      action_mapper: { default_action: 'none', new: 1 },
      setup: [
        {
          name: 'a',
          type: 'input',
          action: { path: '/a', source: { path: '/a' }, action_type: 'remote_copy' },
        },
      ],
    }
    const before = structuredClone(wire)
    expect(parseRemoteStaging(wire).wire).toBe(wire)
    expect(wire).toEqual(before)
  })

  it.each([undefined, null, []])('looks for the default names when dynamic_outputs is %j', (value) => {
    const { clientOutputs } = parseRemoteStaging({ client_outputs: { dynamic_outputs: value } })
    expect(clientOutputs.dynamicOutputs).toEqual(DEFAULT_DYNAMIC_OUTPUTS)
  })
})

describe('an action of setup', () => {
  const setup = (action: Record<string, unknown>, mapper?: Record<string, unknown>) =>
    parseRemoteStaging({ setup: [{ name: 'a', type: 'input', action }], action_mapper: mapper }).setup[0]
      ?.action

  it('of an old client has a path alone', () => {
    expect(setup({ action_type: 'remote_copy', path: '/a' })).toEqual({
      action_type: 'remote_copy',
      path: '/a',
    })
  })

  it('goes by its source', () => {
    const action = { action_type: 'remote_copy', path: '/old', source: { path: '/new' } }
    expect(setup(action)).toEqual({ action_type: 'remote_copy', path: '/new' })
  })

  it('that is unknown is kept for who runs it', () => {
    expect(setup({ action_type: 'json_transfer', path: '/a', x: 1 })).toEqual({
      action_type: 'json_transfer',
      path: '/a',
    })
    expect(setup({ action_type: 'transfer', source: {} })).toEqual({ action_type: 'transfer' })
  })

  it('with ssh gets the key of the mapper', () => {
    const action = {
      action_type: 'remote_rsync_transfer',
      path: '/a',
      ssh_user: 'u',
      ssh_host: 'h',
      ssh_port: 22,
    }
    const wanted = { ...action, ssh_key: 'KEY' }
    expect(setup(action, { ssh_key: 'KEY' })).toEqual(wanted)
    expect(setup({ ...action, ssh_key: 'MINE' }, { ssh_key: 'KEY' })).toEqual(wanted)
    expect(setup({ ...action, ssh_key: 'KEY' }, {})).toEqual(wanted)
    const asked = { setup: [{ name: 'a', type: 'input', action: { ...action, ssh_key: 'MINE' } }] }
    expect(problemOf({ ...asked, action_mapper: { ssh_key: null } })).toContain(
      'setup[0].action.ssh_key must be text',
    )
  })
})

describe('what is wrong is named', () => {
  it.each([
    [5, 'remote_staging must be a JSON object'],
    [{ setup: {} }, 'setup must be a JSON list'],
    [{ setup: [null] }, 'setup[0] must be a JSON object'],
    [
      { setup: [{ type: 'input', action: { action_type: 'message', contents: '' } }] },
      'setup[0].name must be text',
    ],
    [{ setup: [{ name: 'a', type: 'input' }] }, 'setup[0].action must be a JSON object'],
    [{ setup: [{ name: 'a', type: 'input', action: {} }] }, 'setup[0].action.action_type must be text'],
    [
      { setup: [{ name: 'a', type: 'input', action: { action_type: 'message' } }] },
      'setup[0].action.contents must be text',
    ],
    [
      { setup: [{ name: 'a', type: 'input', action: { action_type: 'remote_transfer', path: '/a' } }] },
      'setup[0].action.url must be text',
    ],
    [
      {
        setup: [{ name: 'a', type: 'input', action: { action_type: 'remote_copy', path: '/a', source: {} } }],
      },
      'setup[0].action.source.path must be text',
    ],
    [{ action_mapper: [] }, 'action_mapper must be a JSON object'],
    [{ action_mapper: { default_action: null } }, 'action_mapper.default_action must be text'],
    [{ action_mapper: { files_endpoint: 5 } }, 'action_mapper.files_endpoint must be text'],
    [{ action_mapper: { ssh_port: [] } }, 'action_mapper.ssh_port must be text or a number'],
    [{ action_mapper: { paths: [null] } }, 'action_mapper.paths[0] must be a JSON object'],
    [{ action_mapper: { paths: [{ path: null }] } }, 'action_mapper.paths[0].path must be text'],
    [
      { action_mapper: { paths: [{ path: '/', match_type: 'x' }] } },
      'paths[0].match_type must be prefix, glob, regex',
    ],
    [{ action_mapper: { paths: [{ action: 'rewrite' }] } }, 'paths[0].source_directory must be text'],
    [{ client_outputs: { output_files: ['a', 5] } }, 'client_outputs.output_files[1] must be text'],
    [
      { client_outputs: { work_dir_outputs: [['a', 'b', 'c']] } },
      'work_dir_outputs[0] must be a list of two paths',
    ],
    [
      { client_outputs: { work_dir_outputs: [['', 'b']] } },
      'work_dir_outputs[0] must be a list of two paths',
    ],
    [{ client_outputs: { dynamic_outputs: 'x' } }, 'client_outputs.dynamic_outputs must be a JSON list'],
    [
      { client_outputs: { dataset_collector_descriptions: [{ pattern: 5 }] } },
      'client_outputs.dataset_collector_descriptions[0].pattern must be text',
    ],
  ])('%j', (value, message) => {
    expect(problemOf(value)).toContain(message)
  })

  it('without the values, in which there may be keys', () => {
    const message = problemOf({ action_mapper: { ssh_key: { pem: 'SECRET' }, files_endpoint: ['SECRET'] } })
    expect(message).toBe(
      'remote_staging cannot be used: action_mapper.ssh_key must be text; action_mapper.files_endpoint must be text',
    )
  })

  it('and cut short when there is much', () => {
    const message = problemOf({ client_outputs: { output_files: Array.from({ length: 1000 }, () => 1) } })
    expect(message).toMatch(/output_files\[4\] must be text; and 995 more$/)
  })
})
