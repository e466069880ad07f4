import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type ActionMapper, chooseAction } from '../../src/staging/action-mapper.js'
import { jobFileUrl } from '../../src/staging/file-url.js'
import { parseRemoteStaging } from '../../src/staging/remote-staging.js'
import { TransferError } from '../../src/staging/transfer-error.js'

function mapperOf(wire: Record<string, unknown>): ActionMapper {
  const { mapper } = parseRemoteStaging({ action_mapper: wire })
  if (!mapper) throw new Error('there is no mapper')
  return mapper
}

function typeOf(wire: Record<string, unknown>, path: string, type: string): string {
  return chooseAction(mapperOf(wire), path, type).action_type
}

describe('the action for a path', () => {
  // The examples in pulsar/client/action_mapper.py.
  const example = {
    default_action: 'none',
    paths: [
      { path: '/opt/galaxy', action: 'none' },
      { path: '/galaxy/data', action: 'transfer' },
      { path: '/cool/bamfiles/**/*.bam', action: 'copy', match_type: 'glob' },
      { path: '.*/dataset_\\d+.dat', action: 'copy', match_type: 'regex' },
    ],
  }

  it.each([
    ['/opt/galaxy/tools/filters/catWrapper.py', 'input', 'none'],
    ['/galaxy/data/files/000/dataset_1.dat', 'input', 'transfer'],
    ['/opt/galaxy/database/working_directory/45.sh', 'workdir', 'copy'],
    ['/opt/galaxy/database/working_directory/metadata', 'metadata', 'copy'],
    ['/cool/bamfiles/projectABC/study1/patient3.bam', 'input', 'copy'],
    ['/cool/bamfiles/projectABC/study1/patient3.bam.bai', 'input', 'none'],
    ['/old/galaxy/data/dataset_10245.dat', 'input', 'copy'],
    ['/old/galaxy/data/dataset_10245.dat', 'unstructured', 'none'],
    ['/galaxy/x/../data/a', 'output', 'transfer'],
    ['/galaxy/database/a', 'output', 'transfer'],
    ['/elsewhere', 'output_workdir', 'copy'],
    ['/elsewhere', 'output', 'none'],
  ])('%s as %s: %s', (path, type, action) => {
    expect(typeOf(example, path, type)).toBe(action)
  })

  it('goes by the type, alone or as well', () => {
    const byType = {
      default_action: 'none',
      paths: [
        { action: 'transfer', path_types: 'input', path: '/data' },
        { action: 'remote_copy', path_types: 'output,output_workdir' },
        { action: 'copy', path_types: '*any*', match_type: 'prefix', path: '/any' },
        {
          action: 'rewrite',
          path_types: 'unstructured,*defaults*',
          source_directory: '/a',
          destination_directory: '/b',
        },
      ],
    }
    expect(typeOf(byType, '/data/x', 'input')).toBe('transfer')
    expect(typeOf(byType, '/data/x', 'output')).toBe('remote_copy')
    expect(typeOf(byType, '/any/x', 'output')).toBe('remote_copy')
    expect(typeOf(byType, '/any/x', 'container')).toBe('copy')
    expect(typeOf(byType, '/other', 'container')).toBe('none')
    expect(typeOf(byType, '/other', 'unstructured')).toBe('rewrite')
  })

  it('does not tidy up the list of types', () => {
    const mapper = { paths: [{ action: 'remote_copy', path_types: 'input, output' }] }
    expect(typeOf(mapper, '/x', 'input')).toBe('remote_copy')
    expect(typeOf(mapper, '/x', 'output')).toBe('transfer')
  })

  it('is transfer when nothing is said', () => {
    expect(typeOf({}, '/x', 'output')).toBe('transfer')
    expect(typeOf({ paths: [{ path: '/x' }], default_action: 'none' }, '/x/y', 'output')).toBe('transfer')
  })
})

describe('an action is complete', () => {
  it.each([
    [
      'https://galaxy.example/api/jobs/1/files?job_key=K',
      'https://galaxy.example/api/jobs/1/files?job_key=K&',
    ],
    ['https://galaxy.example/api/jobs/1/files', 'https://galaxy.example/api/jobs/1/files?'],
  ])('with its address at %s', (endpoint, start) => {
    for (const action of ['remote_transfer', 'remote_transfer_tus']) {
      const mapper = mapperOf({ default_action: action, files_endpoint: endpoint })
      expect(chooseAction(mapper, '/galaxy/../a b.dat', 'output')).toEqual({
        action_type: action,
        path: '/galaxy/../a b.dat',
        url: `${start}path=%2Fgalaxy%2F..%2Fa+b.dat&file_type=output`,
      })
    }
  })

  it('with user, host, port and key of its own or of the mapper', () => {
    const mapper = mapperOf({
      ssh_key: 'KEY',
      ssh_user: 'galaxy',
      ssh_host: 'galaxy.example',
      ssh_port: 22,
      default_action: 'remote_scp_transfer',
      paths: [
        {
          path: '/own',
          action: 'remote_rsync_transfer',
          ssh_user: 'me',
          ssh_port: '2222',
          ssh_host: '__UNSET__',
        },
        { path: '/keyless', action: 'remote_rsync_transfer', ssh_key: null },
      ],
    })
    expect(chooseAction(mapper, '/own/x', 'output')).toEqual({
      action_type: 'remote_rsync_transfer',
      path: '/own/x',
      ssh_key: 'KEY',
      ssh_user: 'me',
      ssh_host: 'galaxy.example',
      ssh_port: '2222',
    })
    expect(chooseAction(mapper, '/x', 'output')).toEqual({
      action_type: 'remote_scp_transfer',
      path: '/x',
      ssh_key: 'KEY',
      ssh_user: 'galaxy',
      ssh_host: 'galaxy.example',
      ssh_port: 22,
    })
    expect(() => chooseAction(mapper, '/keyless/x', 'output')).toThrowError(
      'remote_rsync_transfer needs ssh_key',
    )
  })

  it.each([
    [{ default_action: 'remote_transfer' }, 'remote_transfer needs a files_endpoint'],
    [
      { default_action: 'remote_transfer_tus', files_endpoint: '' },
      'remote_transfer_tus needs a files_endpoint',
    ],
    [{ default_action: 'remote_scp_transfer', ssh_key: 'K', ssh_user: 'u' }, 'needs ssh_host'],
    [{ default_action: 'json_transfer' }, 'names an unknown action, "json_transfer"'],
    [{ default_action: 'message' }, 'names an unknown action, "message"'],
    [
      { paths: [{ path: '[', match_type: 'regex' }] },
      'pattern "[" cannot be used: unterminated character set at position 0',
    ],
  ])('or fails for good: %j', (wire, message) => {
    const mapper = mapperOf(wire)
    expect(() => chooseAction(mapper, '/x', 'output')).toThrowError(message)
    expect(() => chooseAction(mapper, '/x', 'output')).toThrowError(TransferError)
    expect(() => chooseAction(mapper, '/x', 'output')).toThrowError(
      expect.objectContaining({ transient: false }),
    )
  })

  it('and never says a key', () => {
    const mapper = mapperOf({
      default_action: 'remote_transfer',
      files_endpoint: 'https://g.example/f?job_key=SECRET',
    })
    expect(() => chooseAction(mapper, '/\ud800', 'output')).toThrowError(/^its name has characters/)
  })
})

describe('addresses', () => {
  const table: { path: string; query: string }[] = JSON.parse(
    readFileSync(new URL('fixtures/urlencode-table.json', import.meta.url), 'utf8'),
  )

  it("are encoded as Python's urlencode does", () => {
    const found = table.map(({ path }) => ({ path, query: jobFileUrl('', path, 'output_workdir').slice(1) }))
    expect(table.length).toBeGreaterThan(200)
    expect(found).toEqual(table)
  })
})
