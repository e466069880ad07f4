import { chmod, mkdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RequirementMapping } from '../../src/config/types.js'
import { galaxyPackagesResolver } from '../../src/dependencies/galaxy-packages.js'
import { toolShedPackagesResolver } from '../../src/dependencies/tool-shed-packages.js'
import type { Requirement, ResolverContext, ResolverType } from '../../src/dependencies/types.js'
import { unlinkedToolShedPackagesResolver } from '../../src/dependencies/unlinked-tool-shed-packages.js'
import { describeResolver, requirement, resolveRequest, runLines } from '../conformance/resolver.js'
import { tempDirectory } from '../helpers/temp-directory.js'

function contextOf(baseDirectory: string): ResolverContext {
  return { baseDirectory, nodeOption: () => undefined, cwd: '/', env: {} }
}

async function put(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  await chmod(path, mode)
}

const program = (says: string): string => `#!/bin/sh\necho ${says}\n`
// As such files are: what is unset stays unset, and a command in the middle fails.
const ENV_SH = 'LD_LIBRARY_PATH="$PACKAGE_BASE/lib:$LD_LIBRARY_PATH"; false; PATH="$PACKAGE_BASE/bin:$PATH"\n'

for (const type of [galaxyPackagesResolver, unlinkedToolShedPackagesResolver]) {
  describeResolver({
    type,
    async open(directory) {
      await put(join(directory, 'zlib', '1.2.8', 'bin', 'zlibber'), program('he'), 0o755)
      await put(join(directory, 'bwa', '0.7', 'env.sh'), ENV_SH)
      await put(join(directory, 'bwa', '0.7', 'bin', 'bwaer'), program('re'), 0o755)
      const resolver = type.create({ type: type.type, options: {} }, contextOf(directory))
      const provided = [requirement('zlib', '1.2.8'), requirement('bwa', '0.7')]
      return { resolver, provided, probe: 'printf "%s%s\\n" "$(zlibber)" "$(bwaer)"' }
    },
  })
}

async function find(
  type: ResolverType,
  directory: string,
  each: Requirement,
  more: {
    options?: Record<string, unknown>
    mappings?: readonly RequirementMapping[]
    installed?: Parameters<typeof resolveRequest>[1]
  } = {},
): Promise<string | undefined> {
  const spec = { type: type.type, options: more.options ?? {}, mappings: more.mappings ?? [] }
  const [found] = await type
    .create(spec, contextOf(directory))
    .resolve(resolveRequest([each], more.installed))
  return found?.what.replace(`${directory}/`, '')
}

describe('galaxy_packages', () => {
  it('follows the link named default when there is no version, or none is looked at', async () => {
    const base = await tempDirectory()
    await put(join(base, 'r', '3.1', 'env.sh'), '')
    await symlink('3.1', join(base, 'r', 'default'))
    await put(join(base, 'd', 'default', 'env.sh'), '')
    await symlink('gone', join(base, 'broken'))
    expect(await find(galaxyPackagesResolver, base, requirement('r'))).toBe('package in r/3.1')
    expect(await find(galaxyPackagesResolver, base, requirement('r', '2'))).toBeUndefined()
    const options = { versionless: 'True' }
    expect(await find(galaxyPackagesResolver, base, requirement('r', '2'), { options })).toBe(
      'package in r/3.1',
    )
    expect(await find(galaxyPackagesResolver, base, requirement('d'))).toBeUndefined()
    expect(await find(galaxyPackagesResolver, base, requirement('broken'))).toBeUndefined()
  })

  it('looks under the name of a mapping, in the base_path of its own', async () => {
    const base = await tempDirectory()
    await put(join(base, 'own', 'Z', '2', 'env.sh'), '')
    const to = { name: 'Z', version: '2' }
    const mappings = [
      { from: { name: 'zlib', version: '9', unversioned: false }, to: { name: 'no', version: undefined } },
      { from: { name: 'zlib', version: undefined, unversioned: true }, to },
      { from: { name: 'zlib', version: '1', unversioned: false }, to },
    ]
    const options = { base_path: join(base, 'own') }
    const of = (version?: string) =>
      find(galaxyPackagesResolver, base, requirement('zlib', version), { options, mappings })
    expect(await Promise.all([of('1'), of(), of('3')])).toEqual([
      'package in own/Z/2',
      'package in own/Z/2',
      undefined,
    ])
  })

  it('provides environment settings by their script alone', async () => {
    const base = await tempDirectory()
    await put(join(base, 'setting', '1', 'env.sh'), 'X=1')
    await put(join(base, 'programs', '1', 'bin', 'x'), '')
    const of = (name: string) =>
      find(galaxyPackagesResolver, base, requirement(name, '1', { type: 'set_environment' }))
    expect(await Promise.all([of('setting'), of('programs')])).toEqual(['package in setting/1', undefined])
  })

  it('ends a job that cannot read there what this machine can, and says so', async () => {
    const base = await tempDirectory()
    await put(join(base, 'a', '1', 'env.sh'), '')
    await put(join(base, 'b', '1', 'bin', 'b'), '')
    const resolver = galaxyPackagesResolver.create({ type: 'galaxy_packages', options: {} }, contextOf(base))
    for (const name of ['a', 'b']) {
      const [found] = await resolver.resolve(resolveRequest([requirement(name, '1')]))
      const elsewhere = (found?.shell ?? []).map((line) => line.replaceAll(base, '/not/mounted'))
      const ran = await runLines(elsewhere, 'echo the tool runs')
      expect(ran.exitCode).toBe(1)
      expect(ran.output).toMatch(
        /^\/not\/mounted\/.*, which the tool requires, cannot be read by this job on \S+\n$/,
      )
    }
  })
})

describe('names that lead elsewhere', () => {
  it('find nothing, whatever is there', async () => {
    const place = await tempDirectory()
    const base = join(place, 'base')
    for (const outside of ['1', 'x/1', 'x']) await put(join(place, outside, 'env.sh'), '')
    await put(join(base, 'a', '1', 'env.sh'), '')
    await put(join(base, 'a', 'b', '1', 'env.sh'), '')
    const odd = [
      requirement('..', '1'),
      requirement('../x', '1'),
      requirement('.', '1'),
      requirement('a/b', '1'),
      requirement('a', '../../x'),
      requirement('a', 'b/1'),
    ]
    for (const each of odd) {
      expect(await find(galaxyPackagesResolver, base, each)).toBeUndefined()
      expect(await find(unlinkedToolShedPackagesResolver, base, each)).toBeUndefined()
    }
    expect(await find(galaxyPackagesResolver, base, requirement('a', '1'))).toBe('package in a/1')
  })
})

describe('tool_shed_packages', () => {
  const entry = {
    name: 'zlib',
    version: '1',
    type: 'package',
    repositoryName: 'package_zlib_1',
    repositoryOwner: 'iuc',
    changeset: 'c0ffee',
  }

  async function findInstalled(
    base: string,
    each: Requirement,
    installed: (typeof entry | (Omit<typeof entry, 'version'> & { version: undefined }))[],
    options: Record<string, unknown> = {},
  ): Promise<string | undefined> {
    const description = { requirements: [each], installed }
    return find(toolShedPackagesResolver, base, each, { options, installed: { description } })
  }

  it('finds what Galaxy says is installed', async () => {
    const base = await tempDirectory()
    await put(join(base, 'zlib', '1', 'iuc', 'package_zlib_1', 'c0ffee', 'env.sh'), '')
    const path = 'tool shed package in zlib/1/iuc/package_zlib_1/c0ffee'
    expect(await findInstalled(base, requirement('zlib', '1'), [entry])).toBe(path)
    expect(await findInstalled(base, requirement('zlib', '1'), [])).toBeUndefined()
    expect(await findInstalled(base, requirement('zlib', '2'), [entry])).toBeUndefined()
    expect(await findInstalled(base, requirement('zlib'), [entry])).toBeUndefined()
    expect(
      await findInstalled(base, requirement('zlib', '1'), [entry], { versionless: true }),
    ).toBeUndefined()
    const outside = { ...entry, changeset: '../../../../../x' }
    expect(await findInstalled(base, requirement('zlib', '1'), [outside])).toBeUndefined()
  })

  it('finds environment settings, which have no version', async () => {
    const base = await tempDirectory()
    await put(join(base, 'environment_settings', 'R_HOME', 'iuc', 'setup_r', '1', 'env.sh'), '')
    const setting = {
      ...entry,
      name: 'R_HOME',
      version: undefined,
      type: 'set_environment',
      repositoryName: 'setup_r',
      changeset: '1',
    }
    const each = requirement('R_HOME', undefined, { type: 'set_environment' })
    expect(await findInstalled(base, each, [setting])).toBe(
      'tool shed package in environment_settings/R_HOME/iuc/setup_r/1',
    )
  })
})

describe('unlinked_tool_shed_packages', () => {
  async function makeTree(): Promise<string> {
    const base = await tempDirectory()
    const packages = [
      ['other/package_zlib_1/r9', 4_000],
      ['iuc/package_ZLIB_1/r1', 2_000],
      ['devteam/package_zlib_1/r2', 3_000],
      ['devteam/zlib/r3', 5_000],
    ] as const
    for (const [name, seconds] of packages) {
      await put(join(base, 'zlib', '1', name, 'env.sh'), '')
      await utimes(join(base, 'zlib', '1', dirname(name)), seconds, seconds)
    }
    return base
  }
  const of = (base: string, options: Record<string, unknown> = {}) =>
    find(unlinkedToolShedPackagesResolver, base, requirement('zlib', '1'), { options })

  it('takes the preferred owner, or the last that was changed', async () => {
    const base = await makeTree()
    expect(await of(base)).toBe('package in zlib/1/iuc/package_ZLIB_1/r1')
    expect(await of(base, { preferred_owners: 'nobody,devteam' })).toBe(
      'package in zlib/1/devteam/package_zlib_1/r2',
    )
    expect(await of(base, { preferred_owners: 'nobody' })).toBe('package in zlib/1/other/package_zlib_1/r9')
    expect(await of(base, { select_by_owner: 'False' })).toBe('package in zlib/1/other/package_zlib_1/r9')
    await put(join(base, 'zlib', '1', 'env.sh'), '')
    expect(await of(base)).toBe('package in zlib/1')
  })
})
