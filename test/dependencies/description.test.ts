import { describe, expect, it } from 'vitest'
import { parseDescription } from '../../src/dependencies/description.js'

const zlib = { name: 'zlib', type: 'package', version: '1.2.8' }
const installed = {
  dependency_name: 'zlib',
  dependency_version: null,
  dependency_type: 'set_environment',
  repository_name: 'r',
  repository_owner: 'o',
  repository_installed_changeset: 'c',
}

describe('what a job requires', () => {
  it.each([
    null,
    undefined,
    '',
    {},
    { requirements: [] },
    { requirements: null },
  ])('is nothing: %j', (value) => {
    expect(parseDescription(value)).toEqual({ requirements: [], installed: [] })
  })

  it('is read as Galaxy sends it', () => {
    const specs = [{ uri: 'https://anaconda.org/bioconda/zlib', version: null }]
    const value = {
      requirements: [
        { ...zlib, specs },
        { name: 'R_HOME', type: 'set_environment', version: null },
      ],
      installed_tool_dependencies: [installed],
    }
    expect(parseDescription(value)).toEqual({
      requirements: [
        { ...zlib, specs: [{ uri: specs[0]?.uri, version: undefined }] },
        { name: 'R_HOME', type: 'set_environment', version: undefined, specs: [] },
      ],
      installed: [
        {
          name: 'zlib',
          version: undefined,
          type: 'set_environment',
          repositoryName: 'r',
          repositoryOwner: 'o',
          changeset: 'c',
        },
      ],
    })
  })

  it('is said once, and only what can be resolved', () => {
    const requirements = [
      zlib,
      { ...zlib, type: 'python-module' },
      { ...zlib, specs: [] },
      { ...zlib, version: '2' },
      { ...zlib, type: null },
      zlib,
    ]
    expect(parseDescription({ requirements }).requirements.map(({ version }) => version)).toEqual([
      '1.2.8',
      '2',
    ])
  })

  it.each([
    ['zlib', 'dependencies_description: expected a mapping, found "zlib"'],
    [[zlib], 'dependencies_description: expected a mapping'],
    [{ requirements: 'zlib' }, 'requirements: expected a list, found "zlib"'],
    [{ requirements: [zlib, 'zlib'] }, 'requirements[1]: expected a mapping, found "zlib"'],
    [{ requirements: [{ type: 'package' }] }, 'requirements[0].name: expected text, found nothing'],
    [{ requirements: [{ ...zlib, version: 1.2 }] }, 'requirements[0].version: expected text, found 1.2'],
    [{ requirements: [{ ...zlib, name: 'a\nb' }] }, 'requirements[0].name: expected text without control'],
    [{ requirements: [{ ...zlib, version: '1\u0000' }] }, 'requirements[0].version: expected text without'],
    [
      { requirements: [{ ...zlib, specs: [{ version: '1' }] }] },
      'requirements[0].specs[0].uri: expected text',
    ],
    [
      { installed_tool_dependencies: [{ ...installed, repository_owner: undefined }] },
      'installed_tool_dependencies[0].repository_owner: expected text, found nothing',
    ],
    [
      { requirements: [{ name: { x: 'y'.repeat(500) } }] },
      'requirements[0].name: expected text, found {"x":"yyy',
    ],
  ])('cannot be read, and the reason says where: %j', (value, reason) => {
    expect(() => parseDescription(value)).toThrow(
      expect.objectContaining({
        code: 'REQUIREMENTS_INVALID',
        message: expect.stringContaining(reason),
      }),
    )
    expect(() => parseDescription(value)).toThrow(/^.{1,300}$/s)
  })
})
