import { describe, expect, it } from 'vitest'
import { type OutputListings, planOutputs } from '../../src/staging/collect-outputs.js'
import type { OutputPlan } from '../../src/staging/output-plan.js'
import { parseRemoteStaging } from '../../src/staging/remote-staging.js'

const NOTHING: OutputListings = { working: [], outputs: [], metadata: [], jobdir: [] }

interface Job {
  mapper?: Record<string, unknown>
  outputs: Record<string, unknown>
  listings?: Partial<OutputListings>
  /** A text as it is, anything else as JSON. */
  galaxyJson?: unknown
  limitMs?: number
}

function plan({
  mapper = { default_action: 'remote_copy' },
  outputs,
  listings,
  galaxyJson,
  limitMs,
}: Job): OutputPlan {
  const staging = parseRemoteStaging({
    action_mapper: mapper,
    client_outputs: { working_directory: '/g/w', ...outputs },
  })
  if (!staging.mapper) throw new Error('there is no mapper')
  const contents = typeof galaxyJson === 'string' ? galaxyJson : JSON.stringify(galaxyJson)
  return planOutputs(
    {
      mapper: staging.mapper,
      clientOutputs: staging.clientOutputs,
      listings: { ...NOTHING, ...listings },
      dynamicFiles: galaxyJson === undefined ? [] : [{ type: 'galaxy', path: 'galaxy.json', contents }],
    },
    limitMs,
  )
}

/** "output: dataset_1.dat → /g/dataset_1.dat" for each planned file. */
function described({ outputs }: OutputPlan): string[] {
  return outputs.map(({ type, name, remotePath }) => `${type}: ${name} → ${remotePath}`)
}

function planned(job: Job): string[] {
  const found = plan(job)
  expect(found.failures).toEqual([])
  return described(found)
}

describe('work_dir_outputs', () => {
  it('go to their destinations, which are then no output files', () => {
    const job: Job = {
      outputs: {
        work_dir_outputs: [
          ['/g/w/out.txt', '/g/1.dat'],
          ['/g/w/sub/out.txt', '/g/2.dat'],
        ],
        output_files: ['/g/1.dat', '/g/2.dat', '/g/3.dat'],
      },
      listings: { working: ['out.txt', 'sub/out.txt'], outputs: ['1.dat', '3.dat'] },
    }
    expect(planned(job)).toEqual([
      'output_workdir: out.txt → /g/1.dat',
      'output_workdir: sub/out.txt → /g/2.dat',
      'output: 3.dat → /g/3.dat',
    ])
  })

  it('that are directories go file by file, and the destination stays an output file', () => {
    const job: Job = {
      outputs: { work_dir_outputs: [['/g/w/d', '/g/1_files']], output_files: ['/g/1_files'] },
      listings: { working: ['d/a', 'dd/x', 'd/s/b', 'd.txt'], outputs: ['1_files'] },
    }
    expect(planned(job)).toEqual([
      'output_workdir: d/a → /g/1_files/a',
      'output_workdir: d/s/b → /g/1_files/s/b',
      'output: 1_files → /g/1_files',
    ])
  })

  it('that are globs go as the first file that matches', () => {
    const job = (source: string): Job => ({
      outputs: { work_dir_outputs: [[`/g/w/${source}`, '/g/1.dat']], output_files: ['/g/1.dat'] },
      listings: { working: ['a.log', 'b.txt', 'sub/c.txt', 'd*.txt'] },
    })
    expect(planned(job('*.txt'))).toEqual(['output_workdir: b.txt → /g/1.dat'])
    expect(planned(job('s*.txt'))).toEqual(['output_workdir: sub/c.txt → /g/1.dat'])
    expect(planned(job('d*.txt'))).toEqual(['output_workdir: d*.txt → /g/1.dat'])
    expect(planned(job('*.none'))).toEqual(['output_workdir: *.none → /g/1.dat'])
  })

  it('may be missing, and nothing else may', () => {
    const { outputs } = plan({
      outputs: {
        work_dir_outputs: [['/g/w/gone', '/g/1.dat']],
        output_files: ['/g/1.dat', '/g/2.dat'],
        metadata_directory: '/g/m',
        job_directory: '/g',
      },
      listings: { outputs: ['2.dat'], metadata: ['metadata_1'], jobdir: ['tool_stdout'] },
    })
    expect(outputs.map(({ name, mayBeMissing }) => [name, mayBeMissing])).toEqual([
      ['gone', true],
      ['2.dat', false],
      ['metadata_1', false],
      ['tool_stdout', false],
    ])
  })

  it('with a destination that is no output file are sent, and the rest as well, and the collection failed', () => {
    const found = plan({
      outputs: {
        work_dir_outputs: [
          ['/g/w/a', '/g/1.dat'],
          ['/g/w/b', '/g/1.dat'],
          ['/g/w/c', '/g/9.dat'],
        ],
        output_files: ['/g/1.dat', '/g/2.dat'],
      },
      listings: { working: ['a', 'b', 'c'], outputs: ['2.dat'] },
    })
    expect(described(found)).toEqual([
      'output_workdir: a → /g/1.dat',
      'output_workdir: b → /g/1.dat',
      'output_workdir: c → /g/9.dat',
      'output: 2.dat → /g/2.dat',
    ])
    expect(found.failures).toEqual([
      'work_dir_outputs has a destination that is not among output_files (/g/1.dat and 1 more)',
    ])
  })

  it('need a working directory', () => {
    const found = plan({ outputs: { working_directory: null, work_dir_outputs: [['/g/w/a', '/g/1.dat']] } })
    expect(found.outputs).toEqual([])
    expect(found.failures).toEqual([
      'client_outputs has work_dir_outputs but no working_directory to find them in',
    ])
  })
})

describe('output files', () => {
  it('go when they are there, with their extra files', () => {
    const job: Job = {
      outputs: {
        output_files: ['/g/a/dataset_1.dat', '/g/b/dataset_2.dat', '/g/dataset_11.dat', '/g/x.html'],
      },
      listings: {
        outputs: [
          'dataset_1_files/i/a.png',
          'dataset_1.dat',
          'dataset_2_files/b',
          'dataset_1_filesystem/c',
          'x._files/d',
          'x_files/e',
        ],
      },
    }
    expect(planned(job)).toEqual([
      'output: dataset_1.dat → /g/a/dataset_1.dat',
      'output: dataset_1_files/i/a.png → /g/a/dataset_1_files/i/a.png',
      'output: dataset_2_files/b → /g/b/dataset_2_files/b',
      'output: x._files/d → /g/x._files/d',
    ])
  })

  it('are followed by the version file', () => {
    const outputs = { output_files: ['/g/1.dat'], version_file: '/g/GALAXY_VERSION_1' }
    const listings = { outputs: ['COMMAND_VERSION', '1.dat'] }
    expect(planned({ outputs, listings })).toEqual([
      'output: 1.dat → /g/1.dat',
      'output: COMMAND_VERSION → /g/GALAXY_VERSION_1',
    ])
    expect(planned({ outputs, listings: { outputs: ['1.dat'] } })).toEqual(['output: 1.dat → /g/1.dat'])
    expect(planned({ outputs: { version_file: null }, listings })).toEqual([])
  })
})

describe('other files', () => {
  const listings: OutputListings = {
    working: ['galaxy.json', 'primary_1', 'notes', 'dataset_2_files/x', 'tool_stdout.1'],
    metadata: ['tool_stdout', 'job_stdout', 'memory_statement.log', '__instrument_core_epoch_end'],
    outputs: ['primary_2'],
    jobdir: ['tool_stderr', 'working', 'command.sh', 'galaxy.json'],
  }

  it('go when their names are of a default kind', () => {
    expect(planned({ outputs: { metadata_directory: '/g/m', job_directory: '/g/j' }, listings })).toEqual([
      'output_workdir: galaxy.json → /g/w/galaxy.json',
      'output_workdir: primary_1 → /g/w/primary_1',
      'output_workdir: dataset_2_files/x → /g/w/dataset_2_files/x',
      'output_workdir: tool_stdout.1 → /g/w/tool_stdout.1',
      'output_metadata: tool_stdout → /g/m/tool_stdout',
      'output_metadata: __instrument_core_epoch_end → /g/m/__instrument_core_epoch_end',
      'output_jobdir: tool_stderr → /g/j/tool_stderr',
      'output_jobdir: galaxy.json → /g/j/galaxy.json',
    ])
  })

  it('stay when Galaxy has no such directory', () => {
    expect(planned({ outputs: { working_directory: null }, listings })).toEqual([])
  })

  it('go when a pattern, a collector or galaxy.json says so', () => {
    const outputs = {
      metadata_directory: '/g/m',
      dynamic_outputs: ['note', 'mem'],
      dataset_collector_descriptions: [{ pattern: 'x', directory: 'dataset_2_files' }],
    }
    const galaxyJson = [{ filename: 'job_stdout' }, { extra_files: 'prim' }]
    expect(planned({ outputs, listings, galaxyJson })).toEqual([
      'output_workdir: primary_1 → /g/w/primary_1',
      'output_workdir: notes → /g/w/notes',
      'output_workdir: dataset_2_files/x → /g/w/dataset_2_files/x',
      'output_metadata: job_stdout → /g/m/job_stdout',
      'output_metadata: memory_statement.log → /g/m/memory_statement.log',
    ])
  })

  it('go a second time when they are declared outputs as well', () => {
    const outputs = { work_dir_outputs: [['/g/w/primary_1', '/g/1.dat']], output_files: ['/g/1.dat'] }
    expect(planned({ outputs, listings: { working: ['primary_1'] } })).toEqual([
      'output_workdir: primary_1 → /g/1.dat',
      'output_workdir: primary_1 → /g/w/primary_1',
    ])
  })

  it('are not found through a galaxy.json that is none, which is said', () => {
    const found = plan({ outputs: { dynamic_outputs: ['x'] }, listings, galaxyJson: '{"filename": "notes"' })
    expect(found).toEqual({
      outputs: [],
      failures: [],
      warnings: ['galaxy.json is not valid JSON; files that only it names are not collected'],
    })
  })
})

describe('a collection that cannot succeed', () => {
  it('says each reason once', () => {
    const found = plan({
      mapper: { default_action: 'remote_transfer', paths: [{ path: '/g/2.dat', action: 'remote_copy' }] },
      outputs: { output_files: ['/g/1.dat', '/g/2.dat', '/g/3.dat', '/g/4.dat'] },
      listings: { outputs: ['1.dat', '2.dat', '3.dat', '4.dat'] },
    })
    expect(described(found)).toEqual(['output: 2.dat → /g/2.dat'])
    expect(found.failures).toEqual([
      expect.stringMatching(/^remote_transfer needs a files_endpoint.*\(\/g\/1.dat and 2 more\)$/),
    ])
  })

  it('names patterns that are none, and plans with the others', () => {
    const found = plan({
      outputs: {
        dynamic_outputs: ['(', 'a'],
        dataset_collector_descriptions: [{ pattern: '(x)?(?(1)y|z)' }],
      },
      listings: { working: ['a', 'b'] },
    })
    expect(described(found)).toEqual(['output_workdir: a → /g/w/a'])
    expect(found.failures).toEqual([
      'the pattern "(" cannot be used: missing ), unterminated subpattern at position 0',
      'the pattern "(x)?(?(1)y|z)" cannot be used: a condition on a group, (?(…)…|…), is not supported',
    ])
  })

  it('does not come from a collector with a wrong pattern and no files', () => {
    const outputs = { dataset_collector_descriptions: [{ pattern: '(', directory: 'd' }] }
    expect(planned({ outputs, listings: { working: ['galaxy.json'] } })).toHaveLength(1)
    expect(plan({ outputs, listings: { working: ['d/a'] } }).failures).toHaveLength(1)
  })

  it('names a pattern that takes too long, and keeps what was planned before', () => {
    const found = plan({
      outputs: { output_files: ['/g/1.dat'], dynamic_outputs: ['(a+)+b'] },
      listings: { outputs: ['1.dat'], working: ['a'.repeat(64)] },
      limitMs: 50,
    })
    expect(described(found)).toEqual(['output: 1.dat → /g/1.dat'])
    expect(found.failures).toEqual([
      expect.stringMatching(/^matching "\(a\+\)\+b" with "a+" took more than 0.05 s$/),
    ])
  })
})

describe('ten thousand files', () => {
  it('are planned in one go', () => {
    const count = 10_000
    const files = Array.from({ length: count }, (_, index) => `dataset_${index}.dat`)
    const found = plan({
      mapper: { default_action: 'remote_transfer', files_endpoint: 'https://galaxy.example/f?job_key=K' },
      outputs: {
        work_dir_outputs: files.map((file) => [`/g/w/sub/${file}`, `/g/work/${file}`]),
        output_files: files.flatMap((file) => [`/g/work/${file}`, `/g/${file}`]),
      },
      listings: { working: files.map((file) => `sub/${file}`), outputs: files },
    })
    expect(found.failures).toEqual([])
    expect(found.outputs.length).toBe(2 * count)
  })
})
