import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Requirement, ResolveRequest, Resolver, ResolverType } from '../../src/dependencies/types.js'
import { silentLogger } from '../../src/lib/log.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'

/** A resolver with something to find. */
export interface ResolverInPlace {
  readonly resolver: Resolver
  /** Each is found. */
  readonly provided: readonly Requirement[]
  /** A bash command that prints `here` when what is provided is there, and something else, or fails, when it is not. */
  readonly probe: string
}

export interface ResolverUnderTest {
  readonly type: ResolverType
  /** Why it cannot be tested here. */
  readonly missing?: string | undefined
  /** Called in each test with a directory that has a space and a quote in its name; what it starts it ends with the test. */
  open(directory: string): Promise<ResolverInPlace>
}

export function requirement(name: string, version?: string, more: Partial<Requirement> = {}): Requirement {
  return { name, version, type: 'package', specs: [], ...more }
}

export function resolveRequest(
  open: readonly Requirement[],
  more: Partial<ResolveRequest> = {},
): ResolveRequest {
  return {
    open,
    description: { requirements: open, installed: [] },
    jobDirectory: '/nowhere',
    log: silentLogger,
    signal: new AbortController().signal,
    ...more,
  }
}

/** Runs shell lines as a job script does, then a command; in an empty directory, with next to no environment. */
export async function runLines(
  lines: readonly string[],
  command: string,
): Promise<{ exitCode: number | null; output: string; left: string[] }> {
  const cwd = join(await tempDirectory(), "it's a job")
  await mkdir(cwd)
  const { PATH } = process.env
  const script = [...lines, command].join('\n')
  const args = ['-i', `PATH=${PATH}`, `HOME=${cwd}`, 'bash', '-c', script]
  const { exitCode, output } = await runCommand('env', args, { cwd })
  return { exitCode, output, left: await readdir(cwd) }
}

const ABSENT = requirement('nobody-has-this', '9.9')
/** What must not become code, nor lead elsewhere. */
const HOSTILE = [
  '$(touch bad)',
  '`touch bad`',
  "a'; touch bad; '",
  'a"; touch bad; "',
  'a; touch bad',
  'a\\',
  'a b',
  '..',
  '../..',
  '/etc',
  '-h',
  '--help',
  '*',
  '~',
  'é',
  'x'.repeat(5000),
]

/** What every resolver keeps; each runs it with the real thing. */
export function describeResolver(subject: ResolverUnderTest): void {
  async function start(): Promise<ResolverInPlace> {
    const directory = join(await tempDirectory(), "it's here")
    await mkdir(directory)
    const found = await subject.open(directory)
    await found.resolver.prepare?.(silentLogger, new AbortController().signal)
    return found
  }

  describe(`${subject.type.type} keeps the contract of resolvers`, needs(subject.missing), () => {
    it('has its type', async () => {
      expect(subject.type.type).toMatch(/^[a-z_]+$/)
      expect((await start()).resolver.type).toBe(subject.type.type)
    })

    it('provides what it finds, in the shell of the tool', async () => {
      const { resolver, provided, probe } = await start()
      expect((await runLines([], probe)).output).not.toBe('here\n')
      const resolutions = await resolver.resolve(resolveRequest(provided))
      const found = resolutions.flatMap(({ requirements }) => requirements)
      expect(new Set(found)).toEqual(new Set(provided))
      expect(found).toHaveLength(provided.length)
      for (const { what } of resolutions) expect(what).toMatch(/\S/)
      const ran = await runLines(
        resolutions.flatMap(({ shell }) => shell),
        `${probe}`,
      )
      expect(ran).toMatchObject({ exitCode: 0, output: 'here\n' })
      // Tools may look away from unset variables and failing commands, or not.
      const strict = await runLines(
        resolutions.flatMap(({ shell }) => shell),
        `set -eu\n${probe}`,
      )
      expect(strict).toMatchObject({ exitCode: 0, output: 'here\n' })
    })

    it('answers for what is open, and only for that', async () => {
      const { resolver, provided } = await start()
      const [first = ABSENT] = provided
      const open = [ABSENT, first]
      const description = { requirements: [...open, ...provided.slice(1)], installed: [] }
      const resolutions = await resolver.resolve(resolveRequest(open, { description }))
      expect(resolutions.flatMap(({ requirements }) => requirements).every((each) => each === first)).toBe(
        true,
      )
    })

    it('finds nothing where there is nothing', async () => {
      const { resolver } = await start()
      expect(await resolver.resolve(resolveRequest([]))).toEqual([])
      expect(await resolver.resolve(resolveRequest([ABSENT]))).toEqual([])
      expect(resolver.advise?.(ABSENT) ?? 'Nothing.').toMatch(/^\S.*\.$/)
    })

    it('answers many jobs at once', async () => {
      const { resolver, provided } = await start()
      const one = await resolver.resolve(resolveRequest(provided))
      const many = await Promise.all(
        Array.from({ length: 20 }, () => resolver.resolve(resolveRequest(provided))),
      )
      for (const each of many) expect(each).toEqual(one)
    })

    it('never makes code of a name or a version', async () => {
      const { resolver, provided } = await start()
      const [first = ABSENT] = provided
      const odd = HOSTILE.flatMap((text) => [requirement(text, '1.0'), requirement(first.name, text)])
      for (const each of odd) {
        const found = await resolver.resolve(resolveRequest([each])).catch(() => [])
        const { left } = await runLines(
          found.flatMap(({ shell }) => shell),
          'true',
        )
        expect(left, each.name).not.toContain('bad')
      }
    })
  })
}
