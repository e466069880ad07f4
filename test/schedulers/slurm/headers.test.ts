import { describe, expect, it } from 'vitest'
import { SubmitRejected } from '../../../src/schedulers/scheduler.js'
import { buildHeaders } from '../../../src/schedulers/slurm/headers.js'
import { managerOptions } from '../../../src/schedulers/slurm/params.js'

const job = {
  jobId: '7',
  name: 'pulsar_7',
  directory: '/j/7',
  workingDirectory: '/j/7/working',
  stdout: '/j/7/out',
  stderr: '/j/7/err',
}
const manager = { jobParameters: {}, nativeSpecification: undefined }
const fixed = ['#SBATCH -o /j/7/out', '#SBATCH -e /j/7/err', '#SBATCH -J pulsar_7']

describe('the headers of a Slurm job', () => {
  it('are streams and name when nothing else is said', () => {
    expect(buildHeaders(job, {}, manager)).toEqual({ lines: fixed, droppedSpecification: undefined })
  })

  it('take the job_ parameters of the manager, in their order, and names with a dash as they are', () => {
    const jobParameters = {
      time: '01:00:00',
      ncpus: '4',
      partition: 'p1',
      '--mem': '4G',
      directory_mode: '0755',
      walltime: '5',
    }
    expect(buildHeaders(job, {}, { ...manager, jobParameters }).lines.slice(3)).toEqual([
      '#SBATCH -t 01:00:00',
      '#SBATCH -c 4',
      '#SBATCH -p p1',
      '#SBATCH --mem 4G',
    ])
    expect(managerOptions(jobParameters).unknown).toEqual(['walltime'])
  })

  it('take known parameters of the request which the manager leaves open, before those of the manager', () => {
    const params = {
      job_time: '5',
      ncpus: '2',
      partition: 'theirs',
      request_cpus: '9',
      user: 'x',
      native_specification: '--mem=1G -p theirs',
    }
    const source = { ...manager, jobParameters: { partition: 'ours' } }
    expect(buildHeaders(job, params, source).lines.slice(3)).toEqual([
      '#SBATCH -t 5',
      '#SBATCH -c 2',
      '#SBATCH --mem=1G -p theirs',
      '#SBATCH -p ours',
    ])
  })

  it("drop the request's native specification when the manager has its own", () => {
    const source = { ...manager, nativeSpecification: '--mem=2G' }
    expect(buildHeaders(job, { native_specification: '--mem=1G' }, source)).toEqual({
      lines: [...fixed, '#SBATCH --mem=2G'],
      droppedSpecification: '--mem=1G',
    })
    expect(
      buildHeaders(job, { native_specification: ' ' }, { ...manager, nativeSpecification: ' ' }).lines,
    ).toEqual(fixed)
  })

  it.each([
    ['/a b/out', '-o "/a b/out"'],
    ['/a%j/out', '-o /a%%j/out'],
    ['/a\\%j/out', '-o "/a\\\\\\\\%j/out"'],
    ['/a"#\'/out', '-o "/a\\"#\'/out"'],
    ['/a$HOME`x`/out', '-o "/a$HOME`x`/out"'],
  ])('name the file %s literally', (stdout, line) => {
    expect(buildHeaders({ ...job, stdout }, {}, manager).lines[0]).toBe(`#SBATCH ${line}`)
  })

  it.each([
    [{ native_specification: '--mem=1G\n#SBATCH -p x' }],
    [{ time: '5\r6' }],
    [{ '--comment': 'a\0b' }],
    [{ native_specification: '--wait' }],
    [{ native_specification: '-p x -W' }],
    [{ '--test-only': '' }],
  ])('refuse %j', (params) => {
    expect(() => buildHeaders(job, params, manager)).toThrow(SubmitRejected)
  })

  it('refuse a job directory that cannot stand in a line', () => {
    expect(() => buildHeaders({ ...job, stdout: '/a\nb' }, {}, manager)).toThrow(SubmitRejected)
  })
})
