import { describe, expect, it } from 'vitest'
import { createArguments, installArguments } from '../../../src/dependencies/conda/command-lines.js'
import { type CondaTool, isAtLeast } from '../../../src/dependencies/conda/conda-tool.js'
import { proxyFor } from '../../../src/dependencies/conda/download.js'
import { miniforgeUrl } from '../../../src/dependencies/conda/installer.js'
import { readSettings } from '../../../src/dependencies/conda/settings.js'
import { targetOf } from '../../../src/dependencies/conda/targets.js'

function settings(options: Record<string, unknown> = {}, node: Record<string, unknown> = {}) {
  const context = {
    baseDirectory: '/srv/deps',
    nodeOption: (name: string) => node[name],
    cwd: '/srv',
    env: {},
  }
  return readSettings({ type: 'conda', options }, context)
}

describe('options of the conda resolver', () => {
  it('have the defaults of Galaxy, except that Pulsar installs nothing by itself', () => {
    expect(settings()).toMatchObject({
      prefix: '/srv/deps/_conda',
      exec: '/srv/deps/_conda/bin/conda',
      condarc: '/srv/deps/_condarc',
      channels: ['conda-forge', 'bioconda'],
      autoInit: false,
      autoInstall: false,
      versionless: false,
      readOnly: false,
    })
  })

  it('are those of the resolver, else those of the node', () => {
    const node = {
      conda_auto_install: 'True',
      conda_ensure_channels: 'a, b',
      conda_versionless: true,
      conda_read_only: true,
      conda_prefix: '/n',
    }
    const found = settings({ ensure_channels: '', prefix: 'c', condarc_override: null }, node)
    expect(found).toMatchObject({
      autoInstall: true,
      channels: [],
      prefix: '/srv/c',
      exec: '/srv/c/bin/conda',
    })
    // Galaxy reads these from the resolver alone.
    expect(found).toMatchObject({ versionless: false, readOnly: false })
  })

  it.each(['yes', '1', 'on', 1])('take %o for false', (value) => {
    expect(settings({ auto_install: value }).autoInstall).toBe(false)
  })

  it.each([
    [{ installer: 'http://example.org/x.sh' }, 'must come by https'],
    [{ installer_sha256: 'abc' }, '64 hexadecimal digits'],
    [{ exec: ['a'] }, 'is no text'],
  ])('are refused: %o', (options, why) => {
    expect(() => settings(options)).toThrow(why)
  })
})

describe('command lines', () => {
  const conda: CondaTool = {
    exec: 'conda',
    kind: 'conda',
    version: '24.1.0',
    hasLibmambaSolver: true,
    hasCondaBuild: false,
  }
  const wanted = { environment: '/e', specs: ['zlib=1.2.8'], strict: true }
  const channels = ['--override-channels', '--channel', 'conda-forge', '--channel', 'bioconda']

  it('are those of Galaxy', () => {
    expect(createArguments(settings({ debug: true, use_local: true }), conda, wanted)).toEqual(
      `create --debug -y --quiet --strict-channel-priority --use-local --solver libmamba ${channels.join(' ')} --prefix /e zlib=1.2.8`.split(
        ' ',
      ),
    )
    expect(installArguments(settings({ use_local: true }), conda, ['conda-build>=3.22.0'])).toEqual(
      `install -y --quiet --strict-channel-priority --solver libmamba ${channels.join(' ')} --prefix /srv/deps/_conda conda-build>=3.22.0`.split(
        ' ',
      ),
    )
  })

  it.each([
    ['4.7.4', true, ['--strict-channel-priority', '--solver', '--experimental-solver']],
    ['4.11.0', true, ['--solver', '--experimental-solver']],
    ['22.9.0', true, ['--solver']],
    ['26.7.0', false, ['--solver', '--experimental-solver']],
    ['22.11.0', true, ['--experimental-solver']],
  ])('of conda %s (libmamba: %s) do without %o', (version, hasLibmambaSolver, without) => {
    const args = createArguments(settings(), { ...conda, version, hasLibmambaSolver }, wanted)
    const conditional = ['--strict-channel-priority', '--solver', '--experimental-solver']
    expect(conditional.filter((flag) => !args.includes(flag))).toEqual(
      conditional.filter((flag) => without.includes(flag)),
    )
  })

  it('of micromamba have what it knows', () => {
    const tool: CondaTool = { ...conda, kind: 'mamba', version: '2.1.0' }
    expect(
      createArguments(
        settings({ ensure_channels: '', use_local: true, copy_dependencies: true }),
        tool,
        wanted,
      ),
    ).toEqual(
      '--create -y --quiet --strict-channel-priority --root-prefix /srv/deps/_conda --always-copy --prefix /e zlib=1.2.8'
        .slice(2)
        .split(' '),
    )
  })

  it('compare versions by their numbers', () => {
    expect([isAtLeast('4.10.0', '4.7.5'), isAtLeast('26.7.0rc1', '26.7'), isAtLeast('4.7', '4.7.5')]).toEqual(
      [true, true, false],
    )
  })
})

describe('requirements that cannot be packages', () => {
  const requirement = (name: string, version?: string) => ({ name, version, type: 'package', specs: [] })
  it.each([
    ['', undefined, 'it is empty'],
    ['a b', undefined, 'spaces or quotes'],
    ['zlib', "1'2", 'spaces or quotes'],
    ['-p', '1', 'no name of a Conda package'],
    ['../../etc', '1', 'no name of a Conda package'],
    ['a::b', '1', 'no name of a Conda package'],
    ['zlib', '1/../../../x', 'no version of a Conda package'],
    ['zlib', '1[channel=x]', 'no version of a Conda package'],
    ['x'.repeat(300), undefined, 'too long'],
  ])('are refused: %s %s', (name, version, why) => {
    expect(() => targetOf(requirement(name, version), false)).toThrow(why)
  })
})

describe('the installer', () => {
  it('is that of the machine', () => {
    expect(miniforgeUrl('linux', 'x64')).toMatch(/^https:.*Miniforge3-Linux-x86_64\.sh$/)
    expect(miniforgeUrl('linux', 'arm64')).toMatch(/Miniforge3-Linux-aarch64\.sh$/)
    expect(miniforgeUrl('darwin', 'arm64')).toMatch(/Miniforge3-MacOSX-arm64\.sh$/)
  })

  it('comes through the proxy of the environment', () => {
    const url = new URL('https://github.com/x')
    expect(proxyFor(url, { HTTPS_PROXY: 'proxy:3128' })?.href).toBe('http://proxy:3128/')
    expect(proxyFor(url, { https_proxy: 'http://p', NO_PROXY: 'localhost,.github.com' })?.host).toBe(
      undefined,
    )
    expect(proxyFor(url, { no_proxy: '*', https_proxy: 'http://p' })).toBe(undefined)
    expect(proxyFor(url, {})).toBe(undefined)
  })
})
