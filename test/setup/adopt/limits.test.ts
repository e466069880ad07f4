import { expect, it } from 'vitest'
import { demandsOfLimits } from '../../../src/setup/adopt/demands.js'
import { managerConfig } from '../../helpers/manager.js'

it('tells of a limit of jobs that begins to count, and of none that changes nothing', () => {
  const say = (more: Parameters<typeof managerConfig>[1], running: number): readonly string[] =>
    demandsOfLimits({ managers: [managerConfig('/jobs', more)], configDirectory: '/etc/p' }, running).notes
  expect(say({}, 0)).toEqual([
    expect.stringMatching(/runs 1 job at a time .*1 where it is not set.*num_concurrent_jobs: 1000$/),
  ])
  expect(say({ numConcurrentJobs: 4 }, 10)).toEqual([
    expect.stringMatching(/ runs 4 jobs .*10 are queued or running now/),
  ])
  expect(say({ numConcurrentJobs: 4 }, 4)).toEqual([])
  expect(say({ type: 'unqueued', numConcurrentJobs: Infinity }, 9)).toEqual([])
})
