import { describe, expect, it } from 'vitest'
import type { DependenciesConfig, ResolverConfig, ResolverTypeName } from '../../src/config/types.js'
import { openDependencies } from '../../src/dependencies/dependencies.js'
import { createResolver } from '../../src/dependencies/index.js'
import { type ResolveJob, resolveDependencies } from '../../src/dependencies/resolve.js'
import type { Requirement, Resolver } from '../../src/dependencies/types.js'
import { MagnetarError } from '../../src/lib/errors.js'
import { requirement } from '../conformance/resolver.js'
import { createRecordingLog } from '../helpers/recording-log.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const [zlib, bwa, samtools] = [
  requirement('zlib', '1.2.8'),
  requirement('bwa', '0.7.17'),
  requirement('samtools'),
] as const

/** Finds the names it is made with; notes what it was asked for. */
function fakeResolver(type: string, names: readonly string[], more: Partial<Resolver> = {}) {
  const asked: string[][] = []
  const resolver: Resolver = {
    type,
    async resolve({ open }) {
      asked.push(open.map(({ name }) => name))
      return open
        .filter(({ name }) => names.includes(name))
        .map((each) => ({
          requirements: [each],
          shell: [`# ${type} ${each.name}`],
          what: `${type} ${each.name}`,
        }))
    },
    ...more,
  }
  return { resolver, asked, ready: Promise.resolve() }
}

function jobOf(requirements: readonly Requirement[], more: Partial<ResolveJob> = {}): ResolveJob {
  return {
    description: { requirements, installed: [] },
    jobDirectory: '/nowhere',
    onFailure: 'fail',
    log: createRecordingLog(),
    signal: new AbortController().signal,
    ...more,
  }
}

const fails = (message: string) => async (): Promise<never> => {
  throw new MagnetarError('REQUIREMENTS_FAILED', message, { fix: 'Mend it.' })
}

describe('resolvers', () => {
  it('are asked in their order for what those before have left', async () => {
    const first = fakeResolver('first', ['bwa'])
    const second = fakeResolver('second', ['zlib', 'bwa'])
    const third = fakeResolver('third', ['samtools'])
    const found = await resolveDependencies([first, second, third], jobOf([zlib, bwa]))
    expect(found.resolutions.flatMap(({ shell }) => shell)).toEqual(['# first bwa', '# second zlib'])
    expect(found.missing).toEqual([])
    expect([first.asked, second.asked, third.asked]).toEqual([[['zlib', 'bwa']], [['zlib']], []])
  })

  it('leave open what none of them has', async () => {
    const found = await resolveDependencies([fakeResolver('a', ['bwa'])], jobOf([zlib, bwa, samtools]))
    expect(found.missing).toEqual([zlib, samtools])
  })

  it('that fail leave it to the others, and are the reason when something is missing', async () => {
    const broken = fakeResolver('conda', [], { resolve: fails('no channel answers') })
    const other = fakeResolver('modules', ['zlib'])
    const log = createRecordingLog()
    const found = await resolveDependencies([broken, other], jobOf([zlib], { log }))
    expect(found.missing).toEqual([])
    expect(log.lines.join('\n')).toContain('warn the dependency resolver conda failed: no channel answers')
    await expect(resolveDependencies([broken, broken, other], jobOf([zlib, bwa]))).rejects.toMatchObject({
      code: 'REQUIREMENTS_FAILED',
      message: 'the tool requires bwa 0.7.17, which could not be provided. conda: no channel answers',
      fix: 'Mend it.',
    })
    const ignoring = jobOf([zlib, bwa], { onFailure: 'ignore' })
    expect((await resolveDependencies([broken, other], ignoring)).missing).toEqual([bwa])
  })

  it('are waited for until they are ready, but only when there is something left for them', async () => {
    let setReady = (): void => {}
    const late = {
      ...fakeResolver('late', ['zlib']),
      ready: new Promise<void>((resolve) => {
        setReady = resolve
      }),
    }
    const quick = fakeResolver('quick', ['bwa'])
    expect((await resolveDependencies([quick, late], jobOf([bwa]))).missing).toEqual([])
    const waiting = resolveDependencies([quick, late], jobOf([bwa, zlib]))
    expect(late.asked).toEqual([])
    setReady()
    expect((await waiting).missing).toEqual([])
  })

  it.each(['resolving', 'preparing'])('let go of a cancelled job while they are %s', async (doing) => {
    const never = new Promise<never>(() => {})
    const busy = fakeResolver('busy', [], doing === 'resolving' ? { resolve: () => never } : {})
    const cancelling = new AbortController()
    const resolver = doing === 'resolving' ? busy : { ...busy, ready: never }
    const waiting = resolveDependencies([resolver], jobOf([zlib], { signal: cancelling.signal }))
    cancelling.abort(new Error('cancelled'))
    await expect(waiting).rejects.toThrow('cancelled')
  })
})

function configOf(types: readonly (ResolverTypeName | ResolverConfig)[]): DependenciesConfig {
  const resolvers = types.map((type) =>
    typeof type === 'string' ? { type, options: {}, mappings: [], place: 'conf.xml:2' } : type,
  )
  return { baseDirectory: '/no/such/place', resolvers, onFailure: 'fail', options: {} }
}

describe('a node', () => {
  it('says once how to mend that nothing provides a requirement, and then briefly', async () => {
    const log = createRecordingLog()
    const dependencies = await openDependencies(configOf(['tool_shed_packages', 'galaxy_packages']), {
      log,
      cwd: '/',
      env: {},
    })
    const description = { requirements: [{ name: 'zlib', type: 'package', version: '1.2.8' }] }
    const request = { description, jobDirectory: '/nowhere', signal: new AbortController().signal }
    for (const job of ['1', '2'])
      expect(await dependencies.resolve({ ...request, log: log.child({ job }) })).toEqual([])
    expect(log.lines).toEqual([
      'warn nothing provides zlib 1.2.8: the job runs without, and its tool finds it on the PATH or fails. Asked: tool_shed_packages, galaxy_packages. zlib 1.2.8 is found when its programs are in /no/such/place/zlib/1.2.8/bin. {"job":"1"}',
      'info nothing provides zlib 1.2.8: the job runs without {"job":"2"}',
    ])
    await dependencies.close()
  })

  it('accepts types that nobody uses any more, and says at the start that they find nothing', async () => {
    const log = createRecordingLog()
    const dependencies = await openDependencies(configOf(['homebrew', 'tool_shed_tap']), {
      log,
      cwd: '/',
      env: {},
    })
    const description = { requirements: [{ name: 'zlib', type: 'package' }] }
    const signal = new AbortController().signal
    await dependencies.resolve({ description, jobDirectory: '/', signal, log })
    const warnings = log.lines.filter((line) => line.includes('finds nothing'))
    expect(warnings.map((line) => line.slice(0, 46))).toEqual([
      'warn the dependency resolver homebrew finds no',
      'warn the dependency resolver tool_shed_tap fin',
    ])
  })

  it('has a resolver for every type that the configuration may name', async () => {
    const context = { baseDirectory: await tempDirectory(), nodeOption: () => undefined, cwd: '/', env: {} }
    for (const type of configOf([
      'conda',
      'galaxy_packages',
      'tool_shed_packages',
      'unlinked_tool_shed_packages',
      'modules',
      'lmod',
      'homebrew',
      'tool_shed_tap',
    ]).resolvers)
      expect((await createResolver(type, context)).type).toBe(type.type)
  })
})
