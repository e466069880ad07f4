import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { modulesResolver } from '../../src/dependencies/modules/environment-modules.js'
import { lmodResolver } from '../../src/dependencies/modules/lmod.js'
import type { Requirement, Resolver, ResolverContext, ResolverType } from '../../src/dependencies/types.js'
import { describeResolver, requirement, resolveRequest, runLines } from '../conformance/resolver.js'
import { needs } from '../helpers/needs.js'
import { createRecordingLog } from '../helpers/recording-log.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { findLmod, findModulecmd } from './find-modules.js'

interface System {
  readonly type: ResolverType
  readonly program: string
  readonly missing: string | undefined
  /** Options that name program and path. */
  options(modulePath: string): Record<string, unknown>
  /** Writes a module that puts `bin` on the PATH and sets FOUND to `value`. */
  write(modulePath: string, name: string, bin: string, value: string): Promise<void>
}

async function put(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  await chmod(path, mode)
}

const [modulecmd, lmod] = [findModulecmd(), findLmod()]

const MODULES: System = {
  ...modulecmd,
  type: modulesResolver,
  options: (modulepath) => ({ modulecmd: modulecmd.program, modulepath }),
  write: (modulePath, name, bin, value) =>
    put(join(modulePath, name), `#%Module\nprepend-path PATH {${bin}}\nsetenv FOUND {${value}}\n`),
}
const LMOD: System = {
  ...lmod,
  type: lmodResolver,
  options: (modulepath) => ({ lmodexec: lmod.program, modulepath }),
  write: (modulePath, name, bin, value) =>
    put(
      join(modulePath, `${name}.lua`),
      `prepend_path("PATH", ${JSON.stringify(bin)})\nsetenv("FOUND", ${JSON.stringify(value)})\n`,
    ),
}

function contextOf(env: NodeJS.ProcessEnv = {}): ResolverContext {
  return {
    baseDirectory: '/nowhere',
    nodeOption: () => undefined,
    cwd: '/',
    env: { PATH: process.env.PATH, ...env },
  }
}

const VALUE = 'it\'s "$HOME" `x` \\ here'

async function open(
  system: System,
  modulePath: string,
  more: Record<string, unknown> = {},
): Promise<Resolver> {
  const bin = join(modulePath, '..', "the bin's")
  await put(join(bin, 'zlibber'), '#!/bin/sh\necho here\n', 0o755)
  for (const version of ['1.2.8', '1.2.11']) await system.write(modulePath, `zlib/${version}`, bin, VALUE)
  await system.write(modulePath, 'plain', bin, 'plain')
  const spec = { type: system.type.type, options: { ...system.options(modulePath), ...more } }
  return system.type.create(spec, contextOf())
}

/** What was found, and what it does. */
async function load(
  resolver: Resolver,
  each: Requirement,
): Promise<{ what: string; found: string } | undefined> {
  const [resolution] = await resolver.resolve(resolveRequest([each]))
  if (!resolution) return undefined
  const { output } = await runLines(resolution.shell, 'printf %s "$FOUND"')
  return { what: resolution.what, found: output }
}

for (const system of [MODULES, LMOD]) {
  describeResolver({
    type: system.type,
    missing: system.missing,
    async open(directory) {
      const resolver = await open(system, join(directory, 'modules'))
      return { resolver, provided: [requirement('zlib', '1.2.8')], probe: 'zlibber' }
    },
  })

  describe(`${system.type.type}, really`, needs(system.missing), () => {
    it('loads a version, whatever stands in the module', async () => {
      const resolver = await open(system, join(await tempDirectory(), 'm p'))
      expect(await load(resolver, requirement('zlib', '1.2.11'))).toEqual({
        what: 'module zlib/1.2.11',
        found: VALUE,
      })
      expect(await load(resolver, requirement('zlib', '1.2'))).toBeUndefined()
      expect(await load(resolver, requirement('zli', '1.2.8'))).toBeUndefined()
    })

    it('takes the default when no version is wanted, or none is looked at', async () => {
      const place = await tempDirectory()
      const resolver = await open(system, join(place, 'm'))
      expect(await load(resolver, requirement('zlib'))).toEqual({ what: 'module zlib', found: VALUE })
      expect(await load(resolver, requirement('plain'))).toEqual({ what: 'module plain', found: 'plain' })
      const versionless = await open(system, join(place, 'm'), { versionless: 'true' })
      expect(await load(versionless, requirement('zlib', '9'))).toEqual({ what: 'module zlib', found: VALUE })
      expect(await load(versionless, requirement('bwa', '9'))).toBeUndefined()
    })

    it('keeps the modules that the job has already', async () => {
      const [one, other] = [await tempDirectory(), await tempDirectory()]
      await system.write(join(other, 'm'), 'bwa/1', '/bwa/bin', 'bwa')
      const lines = await Promise.all(
        [await open(system, join(one, 'm')), await open(system, join(other, 'm'))].map(
          async (resolver, index) => {
            const each = index === 0 ? requirement('zlib', '1.2.8') : requirement('bwa', '1')
            return (await resolver.resolve(resolveRequest([each]))).flatMap(({ shell }) => shell)
          },
        ),
      )
      const { output } = await runLines(
        lines.flat(),
        'echo "$LOADEDMODULES"; zlibber; case $PATH in /bwa/bin:*) echo bwa;; esac; echo "$MODULEPATH"',
      )
      expect(output).toBe(`zlib/1.2.8:bwa/1\nhere\nbwa\n${join(other, 'm')}:${join(one, 'm')}\n`)
    })

    it('ends a job in which the module cannot be loaded, and says so', async () => {
      const resolver = await open(system, join(await tempDirectory(), 'm'), {
        skip_availability_check: 'true',
      })
      const [found] = await resolver.resolve(resolveRequest([requirement('nobody-has-this', '1')]))
      const ran = await runLines(found?.shell ?? [], 'echo the tool runs')
      expect(ran.exitCode).toBe(1)
      expect(ran.output).toMatch(
        /module nobody-has-this\/1, which the tool requires, could not be loaded on \S+\n/,
      )
      expect(ran.output).not.toContain('the tool runs')
      const gone = (found?.shell ?? []).map((line) => line.replaceAll(system.program, '/no/such/program'))
      expect(await runLines(gone, 'echo the tool runs')).toMatchObject({ exitCode: 1 })
    })

    it('never makes code of a name, even of one that nobody has checked', async () => {
      const resolver = await open(system, join(await tempDirectory(), 'm'), {
        skip_availability_check: 'true',
      })
      // Lmod itself would: only what can be a module's name is given to it.
      const bad = [
        '$(touch bad)',
        "a'; touch bad; '",
        'a; touch bad',
        '`touch bad`',
        '--paginate',
        'a b',
        '/etc/x',
        '../x',
        '',
      ]
      for (const name of bad) {
        expect(await resolver.resolve(resolveRequest([requirement(name, '1')]))).toEqual([])
        if (name !== '') expect(await resolver.resolve(resolveRequest([requirement('a', name)]))).toEqual([])
      }
      const good = requirement('gcc-12/é_@x', '1.0+cuda-12:a=b,c')
      expect(await resolver.resolve(resolveRequest([good]))).toHaveLength(1)
    })

    it('does without environment settings', async () => {
      const resolver = await open(system, join(await tempDirectory(), 'm'))
      const setting = requirement('zlib', '1.2.8', { type: 'set_environment' })
      expect(await resolver.resolve(resolveRequest([setting]))).toEqual([])
    })
  })
}

describe('modules', needs(modulecmd.missing), () => {
  it('finds a module by its file as well', async () => {
    const place = join(await tempDirectory(), 'm')
    const resolver = await open(MODULES, place, { find_by: 'directory', modulepath: `/no/such:${place}` })
    expect(await load(resolver, requirement('zlib', '1.2.8'))).toMatchObject({ what: 'module zlib/1.2.8' })
    expect(await load(resolver, requirement('plain'))).toMatchObject({ what: 'module plain' })
    expect(await load(resolver, requirement('zlib', '2'))).toBeUndefined()
    expect(await load(resolver, requirement('../m/zlib', '1.2.8'))).toBeUndefined()
  })

  it('finds what was installed after the start', async () => {
    const place = join(await tempDirectory(), 'm')
    const resolver = await open(MODULES, place, { prefetch: 'false' })
    await resolver.prepare?.(createRecordingLog(), new AbortController().signal)
    await MODULES.write(place, 'bwa/1', '/bwa/bin', 'bwa')
    expect(await load(resolver, requirement('bwa', '1'))).toEqual({ what: 'module bwa/1', found: 'bwa' })
  })
})

describe('a module command that is not there', () => {
  it.each([
    [modulesResolver, { modulecmd: '/no/modulecmd' }, /modules cannot be listed .*\/no\/modulecmd/],
    [lmodResolver, {}, /Lmod is not known: set lmodexec/],
    [lmodResolver, { lmodexec: '/no/lmod', modulepath: '/m' }, /\/no\/lmod does not exist/],
    [lmodResolver, { lmodexec: '/bin/sh' }, /there is no path of modules/],
  ])('is told at the start, and to every job that needs it: %#', async (type, options, message) => {
    const resolver = type.create({ type: type.type, options }, contextOf())
    const log = createRecordingLog()
    await resolver.prepare?.(log, new AbortController().signal)
    expect(log.lines).toEqual([expect.stringMatching(message)])
    await expect(resolver.resolve(resolveRequest([requirement('zlib')]))).rejects.toMatchObject({
      code: 'REQUIREMENTS_FAILED',
      message: expect.stringMatching(message),
    })
  })
})
