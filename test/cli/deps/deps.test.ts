import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { listEnvironments, showBytes } from '../../../src/cli/deps/list.js'
import { pruneEnvironments } from '../../../src/cli/deps/prune.js'
import type { DepsLine, DepsRoom } from '../../../src/cli/deps/run-deps.js'
import { verifyEnvironments } from '../../../src/cli/deps/verify.js'
import type { Output } from '../../../src/cli/setup/output.js'
import { createOutput } from '../../../src/cli/setup/output.js'
import { condaOf } from '../../../src/node/conda.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const { signal } = new AbortController()

interface Place {
  readonly prefix: string
  run(
    task: (room: DepsRoom) => Promise<number>,
    line?: Partial<DepsLine>,
  ): Promise<{ readonly code: number; readonly said: string; readonly json: string }>
}

async function makePlace(): Promise<Place> {
  const baseDirectory = await tempDirectory()
  const config = { baseDirectory, resolvers: [{ type: 'conda', options: {} }], options: {} }
  const conda = await condaOf(config, { cwd: '/', env: {} })
  return {
    prefix: conda.prefix,
    async run(task, more = {}) {
      const said: string[] = []
      const json: string[] = []
      const note = (text: string): void => void said.push(text)
      const output: Output = {
        ...createOutput({ json: true, quiet: false, verbose: false }),
        say: note,
        print: note,
        warn: note,
      }
      const stream = { write: (text: string) => json.push(text) }
      const line = {
        task: 'list',
        words: [],
        config: undefined,
        unused: undefined,
        json: false,
        yes: false,
        ...more,
      } as const
      const terminal = { env: {}, cwd: '/', stdin: process.stdin, stdout: stream, stderr: stream }
      const code = await task({ line, conda, output, terminal, signal })
      return { code, said: said.join('\n'), json: json.join('') }
    },
  }
}

async function addEnvironment(
  { prefix }: Place,
  name: string,
  { made, usedDaysAgo, history = '' }: { made?: object; usedDaysAgo?: number; history?: string } = {},
): Promise<string> {
  const path = join(prefix, 'envs', name)
  await mkdir(join(path, 'conda-meta'), { recursive: true })
  await mkdir(join(prefix, '.magnetar'), { recursive: true })
  await writeFile(join(path, 'conda-meta', 'history'), history)
  await writeFile(join(path, 'conda-meta', 'zlib-1-0.json'), JSON.stringify({ files: ['lib/a', 'lib/b'] }))
  await mkdir(join(path, 'lib'))
  for (const file of ['a', 'b']) await writeFile(join(path, 'lib', file), 'x')
  const note = (kind: string): string => join(prefix, '.magnetar', `${name}.${kind}`)
  if (made) await writeFile(note('made'), JSON.stringify(made))
  if (usedDaysAgo !== undefined) {
    await writeFile(note('used'), '')
    const at = Date.now() / 1000 - usedDaysAgo * 86_400
    await utimes(note('used'), at, at)
  }
  return path
}

const made = (name: string, daysAgo = 0) => ({
  requirements: [{ name, version: '1' }],
  channels: [],
  madeAt: new Date(Date.now() - daysAgo * 86_400_000).toISOString(),
})

describe('magnetar deps list', () => {
  it('shows what environments are for, how large they are and when they were used', async () => {
    const place = await makePlace()
    await addEnvironment(place, '__zlib@1.2.8', { made: made('zlib'), usedDaysAgo: 0 })
    await addEnvironment(place, 'mulled-v1-abc', {
      history: "# update specs: ['bwa=0.7.17', 'samtools=1.9']\n",
    })
    await addEnvironment(place, '__half@1', { made: made('half') })
    await writeFile(join(place.prefix, '.magnetar', '__half@1.creating'), '')
    await mkdir(join(place.prefix, 'envs', '_galaxy_'))
    const { code, said, json } = await place.run(listEnvironments, { json: true })
    expect(code).toBe(0)
    const found = JSON.parse(json) as { environments: Record<string, unknown>[] }
    expect(
      found.environments.map(({ name, requirements, state, ours }) => [name, requirements, state, ours]),
    ).toEqual([
      ['__half@1', ['half 1'], 'half-made', true],
      ['__zlib@1.2.8', ['zlib 1'], 'whole', true],
      ['mulled-v1-abc', ['bwa 0.7.17', 'samtools 1.9'], 'whole', false],
    ])
    expect(found.environments.every(({ sizeBytes }) => Number(sizeBytes) > 0)).toBe(true)
    expect(said).toBe('')
    const people = (await place.run(listEnvironments)).said
    expect(people).toMatch(/__half@1\n {2}half 1 · .*, not used yet · .*half-made/)
    expect(people).toMatch(
      /mulled-v1-abc\n {2}bwa 0\.7\.17, samtools 1\.9 · .* · use not known\n3 environments/,
    )
  })

  it('says so when there are none', async () => {
    expect((await (await makePlace()).run(listEnvironments)).said).toMatch(/There are no environments/)
  })
})

describe('magnetar deps verify', () => {
  it('names a command that can be pasted, whatever the environments are called', async () => {
    const place = await makePlace()
    for (const name of ['__a@1', '__b@$(touch x); y'])
      await rm(join(await addEnvironment(place, name), 'lib', 'b'))
    const { code, said } = await place.run(verifyEnvironments)
    expect(code).toBe(1)
    expect(said).toContain(`\n  magnetar deps prune __a@1 '__b@$(touch x); y'`)
  })

  it('finds files that are gone, and ends with 1', async () => {
    const place = await makePlace()
    const path = await addEnvironment(place, '__zlib@1', { made: made('zlib') })
    expect(await place.run(verifyEnvironments)).toMatchObject({ code: 0 })
    await rm(join(path, 'lib'), { recursive: true })
    const { code, said } = await place.run(verifyEnvironments)
    expect(code).toBe(1)
    expect(said).toContain('of zlib-1-0 these files are gone: lib/a and 1 more')
  })
})

describe('magnetar deps verify, when asked for what is not there', () => {
  it('says so, and advises no removal', async () => {
    const place = await makePlace()
    expect(await place.run(verifyEnvironments)).toMatchObject({
      code: 0,
      said: expect.stringMatching(/^There are no environments of tools in /),
    })
    await expect(place.run(verifyEnvironments, { words: ['__none@1'] })).rejects.toMatchObject({
      code: 'ANSWER_INVALID',
      message: 'there is no environment __none@1',
    })
  })
})

describe('magnetar deps prune', () => {
  it('removes what is half-made, and what nobody used for so long', async () => {
    const place = await makePlace()
    await addEnvironment(place, '__old@1', { made: made('old', 900), usedDaysAgo: 200 })
    await addEnvironment(place, '__never@1', { made: made('never', 200) })
    await addEnvironment(place, '__new@1', { made: made('new', 900), usedDaysAgo: 2 })
    await addEnvironment(place, '__galaxys@1')
    await addEnvironment(place, '__half@1')
    await writeFile(join(place.prefix, '.magnetar', '__half@1.creating'), '')
    // Without --yes, and no terminal to ask in.
    expect(await place.run(pruneEnvironments)).toMatchObject({ code: 2 })
    expect(await place.run(pruneEnvironments, { yes: true })).toMatchObject({ code: 0 })
    const names = () => readdir(join(place.prefix, 'envs'))
    expect((await names()).sort()).toEqual(['__galaxys@1', '__never@1', '__new@1', '__old@1'])
    const { json } = await place.run(pruneEnvironments, { yes: true, unused: '180', json: true })
    expect(JSON.parse(json).removed.map(({ name }: { name: string }) => name)).toEqual([
      '__never@1',
      '__old@1',
    ])
    expect((await names()).sort()).toEqual(['__galaxys@1', '__new@1'])
    await place.run(pruneEnvironments, { yes: true, words: ['__galaxys@1'] })
    expect(await names()).toEqual(['__new@1'])
    expect((await readdir(join(place.prefix, '.magnetar'))).sort()).toEqual([
      '__new@1.made',
      '__new@1.used',
      'lock',
    ])
  })

  it('refuses what is no environment', async () => {
    const place = await makePlace()
    await expect(place.run(pruneEnvironments, { yes: true, words: ['../../x'] })).rejects.toThrow(
      'no environment ../../x',
    )
    await expect(place.run(pruneEnvironments, { unused: '-1' })).rejects.toThrow('no number of days')
  })
})

describe('magnetar deps', () => {
  it('says what to do where no Conda is configured', async () => {
    const surroundings = { cwd: '/', env: {} }
    await expect(condaOf(undefined, surroundings)).rejects.toMatchObject({ code: 'CONDA_UNAVAILABLE' })
  })

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [28_672, '29 kB'],
    [1_250_000_000, '1.3 GB'],
  ])('shows %d bytes as %s', (bytes, text) => expect(showBytes(bytes)).toBe(text))
})
