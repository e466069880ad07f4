import fs, { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type DeliveryLimits, planDelivery } from '../../src/jobs/disk/delivery.js'
import type { planner as Planner } from '../../src/jobs/disk/planner.js'
import { readResults } from '../../src/jobs/disk/status.js'
import type { PlannedOutput } from '../../src/staging/output-plan.js'
import { tempDirectory } from '../helpers/temp-directory.js'

let job: string

beforeEach(async () => {
  job = await tempDirectory()
  for (const name of ['working', 'outputs', 'metadata', 'inputs']) mkdirSync(path.join(job, name))
})

const make = (name: string, content = ''): void => writeFileSync(path.join(job, name), content)

function submit(outputs: Readonly<Record<string, unknown>>, sources: unknown = null): void {
  const remote_staging = {
    action_mapper: { default_action: 'remote_transfer', files_endpoint: 'http://galaxy/files?job_key=k' },
    client_outputs: { working_directory: '/galaxy/w', dynamic_outputs: ['.*'], ...outputs },
  }
  make('launch_config', JSON.stringify({ remote_staging, dynamic_file_sources: sources }))
}

function plan(limits?: DeliveryLimits): {
  readonly names: readonly string[]
  readonly failures: readonly string[]
} {
  const { pages, failures } = planDelivery(job, limits)
  const outputs = pages.flatMap((page) => JSON.parse(page) as PlannedOutput[])
  return { names: outputs.map(({ type, name }) => `${type} ${name}`).sort(), failures }
}

const few = { names: 8, characters: 10_000, links: 2 }

describe('what a job can leave', () => {
  it('is listed up to a limit: the rest fails the delivery, and the status says so', () => {
    submit({})
    for (let at = 0; at < 20; at++) make(`working/${at}`)
    const planned = plan({ listed: few })
    expect(planned.failures).toEqual([expect.stringMatching(/more than 8 files .* are not found/)])
    expect(planned.names.length).toBeLessThan(8)
    const results = readResults(job, 1000, few)
    expect(results.omitted).toEqual([expect.stringContaining('more files than an answer lists (8')])
    expect(results.top).toContain('working')
  })

  it('is listed up to a length of all names', () => {
    submit({})
    mkdirSync(path.join(job, 'working', 'd'.repeat(200)))
    for (let at = 0; at < 5; at++) make(`working/${'d'.repeat(200)}/${at}`)
    const listed = { names: 100, characters: 700, links: 2 }
    expect(plan({ listed }).failures).toHaveLength(1)
    expect(plan({ listed: { ...listed, characters: 7000 } }).failures).toEqual([])
  })

  it('may be links that lead in circles, and many of them', () => {
    submit({})
    symlinkSync('.', path.join(job, 'working/here'))
    symlinkSync('self', path.join(job, 'working/self'))
    make('working/file')
    expect(plan()).toEqual({ names: ['output_workdir file'], failures: [] })
    expect(readResults(job, 1000).working).toEqual(['file'])
    symlinkSync('file', path.join(job, 'working/third'))
    expect(plan({ listed: few }).failures).toEqual([expect.stringContaining('2 symbolic links')])
  })

  it('may be more outputs than are delivered of one job', () => {
    submit({})
    for (const name of ['a', 'b', 'c']) make(`working/${name}`)
    const { names, failures } = plan({ outputs: 2 })
    expect(names).toHaveLength(2)
    expect(failures).toEqual(['the job has 3 outputs: only the first 2 of them are delivered'])
  })

  it('may be a galaxy.json of a gigabyte, which is not read', () => {
    submit({ dynamic_outputs: ['nothing'] }, [{ path: 'galaxy.json', type: 'galaxy' }])
    make('working/galaxy.json', '{"filename": "a"}')
    make('working/a')
    expect(plan().names).toEqual(['output_workdir a'])
    truncateSync(path.join(job, 'working/galaxy.json'), 1024 ** 3)
    expect(plan().failures).toEqual([
      expect.stringMatching(/"galaxy.json" has more than 16 MiB and is not read/),
    ])
    const results = readResults(job, 1000)
    expect(results.dynamicFiles).toEqual([])
    expect(results.omitted).toEqual(plan().failures)
  })

  it('may be a galaxy.json whose values would fill the memory', () => {
    submit({}, [{ path: 'galaxy.json', type: 'galaxy' }])
    make('working/galaxy.json', `${'['.repeat(2_100_000)}${']'.repeat(2_100_000)}`)
    expect(plan().failures).toEqual([expect.stringContaining('more than 2000000 values')])
  })

  it('is sent from its top directory as far as it is files', () => {
    submit({ working_directory: null, job_directory: '/galaxy/j' })
    make('tool_stdout')
    symlinkSync('/dev', path.join(job, 'devices'))
    expect(plan().names).toEqual(['output_jobdir launch_config', 'output_jobdir tool_stdout'])
  })

  it('is of no use without its launch_config', () => {
    expect(() => planDelivery(job)).toThrow('launch_config in the job directory is missing')
    make('launch_config', '{"remote_staging": {"files_endpoint": "http://galaxy/?job_key=s3cr3t')
    expect(() => planDelivery(job)).not.toThrow('s3cr3t')
  })
})

describe('a directory that is there and cannot be read', () => {
  afterEach(() => void vi.restoreAllMocks())

  function failAt(name: string, errno: string): void {
    const opendir = fs.opendirSync
    vi.spyOn(fs, 'opendirSync').mockImplementation((directory, options) => {
      if (fs.readlinkSync(directory) === fs.realpathSync(path.join(job, name)))
        throw Object.assign(new Error(`${errno}: opendir`), { code: errno })
      return opendir(directory, options)
    })
  }

  it.each([
    [
      'EACCES',
      'outputs',
      /^the directory "outputs" of the job: \S+, the user of this node, may not read it \(EACCES\)/,
    ],
    [
      'EIO',
      'working/sub',
      /^the directory "working\/sub" of the job: it cannot be read \(EIO\), so outputs in it/,
    ],
    ['ESTALE', 'metadata', /"metadata" .* \(ESTALE\)/],
    ['ENAMETOOLONG', 'outputs', /"outputs" .* \(ENAMETOOLONG\)/],
  ])('fails the delivery: %s of %s', (errno, name, sentence) => {
    submit({ output_files: ['/galaxy/ur.dat'], metadata_directory: '/galaxy/m' })
    mkdirSync(path.join(job, 'working/sub'))
    make('working/other')
    failAt(name, errno)
    expect(plan()).toEqual({ names: ['output_workdir other'], failures: [expect.stringMatching(sentence)] })
  })

  it.each([
    ['no rule looks into it', { dynamic_outputs: ['primary_.*'] }, false],
    ['a pattern could', { dynamic_outputs: ['cache/.*'] }, true],
    [
      'an output is to come from it',
      {
        dynamic_outputs: ['primary_.*'],
        working_directory: '/galaxy/w',
        work_dir_outputs: [['/galaxy/w/cache/a', '/galaxy/a.dat']],
      },
      true,
    ],
  ])('in the working directory it matters when outputs may be in it: %s', (_, outputs, matters) => {
    submit(outputs)
    mkdirSync(path.join(job, 'working/cache'))
    failAt('working/cache', 'EACCES')
    const failures = plan().failures.filter((words) => words.includes('"working/cache"'))
    expect(failures).toHaveLength(matters ? 1 : 0)
  })

  it.each(['ENOENT', 'ENOTDIR'])('but one that went away meanwhile is empty: %s', (errno) => {
    submit({})
    failAt('outputs', errno)
    expect(plan().failures).toEqual([])
  })
})

describe('a name that is not UTF-8', () => {
  const latin1 = (name: string): Buffer => Buffer.from(path.join(job, name), 'latin1')
  const failures = (): readonly string[] => plan().failures

  it('fails the delivery of the file, which nothing can be opened by', () => {
    submit({ dynamic_outputs: ['primary_.*'] })
    writeFileSync(latin1('working/primary_caf\u00e9'), 'data')
    writeFileSync(latin1('working/nobody wants caf\u00e9'), 'data')
    make('working/primary_ok')
    expect(plan()).toEqual({
      names: ['output_workdir primary_ok'],
      failures: ['output_workdir "primary_caf\uFFFD": its name is not UTF-8'],
    })
  })

  it('fails the delivery of an output directory, also for what is below such a name', () => {
    submit({ dynamic_outputs: ['nothing'], work_dir_outputs: [['/galaxy/w/out', '/galaxy/out']] })
    mkdirSync(path.join(job, 'working/out'))
    writeFileSync(latin1('working/out/caf\u00e9'), 'data')
    symlinkSync('caf\u00e9', latin1('working/out/link\u00e9'))
    expect([...failures()].sort()).toEqual([
      'output_workdir "out/caf\uFFFD": its name is not UTF-8',
      'output_workdir "out/link\uFFFD": its name is not UTF-8',
    ])
    mkdirSync(latin1('working/out/d\u00e9/deep'), { recursive: true })
    writeFileSync(latin1('working/out/d\u00e9/deep/file'), 'data')
    expect(failures()).toContain('output_workdir "out/d\uFFFD/deep/file": its name is not UTF-8')
  })

  it('does not take the place of one that has U+FFFD in UTF-8', () => {
    submit({})
    mkdirSync(path.join(job, 'working/d\uFFFD'))
    make('working/d\uFFFD/file')
    make('working/\uFFFD')
    expect(plan()).toEqual({ names: ['output_workdir d\uFFFD/file', 'output_workdir \uFFFD'], failures: [] })
    mkdirSync(latin1('outputs/ds_files'))
    writeFileSync(latin1('outputs/ds_files/\u00e9'), 'data')
    submit({ output_files: ['/galaxy/ds.dat'] })
    expect(failures()).toEqual(['output "ds_files/\uFFFD": its name is not UTF-8'])
  })
})

describe('the thread that plans', () => {
  it('does not hold up the plans of other jobs when a pattern does not end', async () => {
    const compiled = pathToFileURL(path.resolve('dist/jobs/disk/planner.js')).href
    const { planner } = (await import(compiled)) as { planner: typeof Planner }
    submit({ dynamic_outputs: ['(\\w+\\w+)+!'] })
    make(`working/${'a'.repeat(80)}`)
    const order: string[] = []
    const held = planner.planDelivery(job, { matchingMs: 1500 }).then((result) => {
      order.push('held')
      return result
    })
    job = path.join(job, 'other')
    mkdirSync(path.join(job, 'working'), { recursive: true })
    submit({})
    make('working/file')
    const others = await Promise.all([planner.planDelivery(job), planner.planDelivery(job)])
    order.push('others')
    expect(others.map(({ pages }) => pages.length)).toEqual([1, 1])
    expect((await held).failures).toEqual([
      expect.stringMatching(/\(\\\\w\+\\\\w\+\)\+!.* took more than 1.5 s/),
    ])
    expect(order).toEqual(['others', 'held'])
  })
})
