import { describe, expect, it } from 'vitest'
import { chooseSpecification, readSpecification } from '../../../src/schedulers/drmaa/native-specification.js'
import { translateSpecification } from '../../../src/schedulers/drmaa/slurm-fallback.js'
import { SubmitRejected } from '../../../src/schedulers/scheduler.js'

describe('the native specification of a DRMAA job', () => {
  it("is the manager's, which replaces that of the request, else the request's, else there is none", () => {
    const line = (text: string) => `#DRMAA native_specification: ${text}`
    const asked = { native_specification: ' -q fast ', request_cpus: '4' }
    expect(chooseSpecification('-q all', asked)).toEqual({ line: line('-q all'), dropped: '-q fast' })
    expect(chooseSpecification(' ', asked)).toEqual({ line: line('-q fast'), dropped: undefined })
    expect(chooseSpecification(undefined, { native_specification: '' })).toEqual({})
  })

  it('is read back from the script it was written into, and nothing else is taken for one', () => {
    const { line } = chooseSpecification('--mem=4G "a b" # c', {})
    expect(readSpecification(`#!/bin/bash\n${line}\necho`)).toBe('--mem=4G "a b" # c')
    expect(readSpecification(`#!/bin/bash\necho\n${line}\n`)).toBeUndefined()
    expect(readSpecification('#!/bin/bash')).toBeUndefined()
  })

  it('cannot bring lines of its own into the script', () => {
    expect(() => chooseSpecification(undefined, { native_specification: '-q a\nrm -r x' })).toThrow(
      SubmitRejected,
    )
  })
})

describe('a native specification of slurm-drmaa as options of sbatch', () => {
  it.each([
    // `[hours:]minutes` there, minutes and seconds to sbatch.
    ['--time=0:05', '--time=0:05:00'],
    ['--time=24:00 -p long', '--time=24:00:00 -p long'],
    ['-N 1 -t 1:5', '-N 1 -t 1:05:00'],
    ['-t1:30', '-t 1:30:00'],
    ['--time_limit=1:00', '--time=1:00:00'],
    // Means the same to both, or is only known to sbatch.
    ['--time=1:00:00', '--time=1:00:00'],
    ['--time=1-0:00', '--time=1-0:00'],
    ['--time=90', '--time=90'],
    ['-s --share', '-s --oversubscribe'],
    ['--job_name=x --comment=--share=', '--job-name=x --comment=--share='],
    [
      '--ntasks=2 --mem-per-cpu=1024 --qos=q --gres=gpu:1',
      '--ntasks=2 --mem-per-cpu=1024 --qos=q --gres=gpu:1',
    ],
  ])('%s is %s', (drmaa, sbatch) => {
    expect(translateSpecification(drmaa)).toBe(sbatch)
  })
})
