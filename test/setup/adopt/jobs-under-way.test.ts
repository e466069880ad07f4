import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { countJobs, describeBroken, describeJobs } from '../../../src/setup/adopt/jobs-under-way.js'
import { managerConfig } from '../../helpers/manager.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { writeFiles } from '../install-fixture.js'

describe('the jobs of a Python Pulsar', () => {
  it('are counted when they will be continued, and named with what is wrong when they will not', async () => {
    const root = await tempDirectory()
    const good = '{"command_line": "true"}'
    writeFiles(root, {
      'active/_default_-active-jobs/1': '',
      'active/_default_-active-jobs/cut': '',
      'active/_default_-preprocessing-jobs/2': '',
      'active/_default_-preprocessing-jobs/list': '',
      'active/_default_-preprocessing-jobs/gone': '',
      'active/_default_-preprocessing-jobs/failed': '',
      'jobs/1/launch_config': good,
      'jobs/2/launch_config': good,
      'jobs/cut/launch_config': '{"comm',
      'jobs/list/launch_config': '[]',
      'jobs/failed/launch_config': good,
      'jobs/failed/preprocessing_failed': 'true',
    })
    const jobs = await countJobs({
      managers: [managerConfig(join(root, 'jobs'))],
      persistenceDirectory: join(root, 'active'),
      stagingDirectory: join(root, 'jobs'),
    })
    // One that has failed already is not under way.
    expect(describeJobs(jobs)).toBe(
      '2 under way (1 fetching inputs, 1 queued or running), and 1 being set up or waiting to be collected',
    )
    const said = describeBroken(jobs).join('\n')
    expect(said).toMatch(/^2 jobs cannot be continued.*told "failed"/)
    expect(said).toContain('job "cut": its launch_config is cut off or damaged')
    expect(said).toContain('job "list": its launch_config is no JSON object')
    expect(said).toMatch(
      /1 job cannot be looked at.*\n {2}job "gone": its directory .*\/jobs\/gone is not there/,
    )
    expect(said).toContain(`remove ${root}/active/_default_-preprocessing-jobs/gone.`)
    expect(describeBroken({ broken: [] })).toEqual([])
  })

  it('are counted by their directories when a restarted Python Pulsar has dropped them from its index', async () => {
    const root = await tempDirectory()
    const good = '{"command_line": "true"}'
    writeFiles(root, {
      'active/_default_-active-jobs/indexed': '',
      'jobs/indexed/launch_config': good,
      'jobs/indexed/preprocessed': 'true',
      'jobs/dropped/launch_config': good,
      'jobs/dropped/preprocessed': 'true',
      'jobs/dropped/pid': '"999999999"',
      'jobs/damaged/launch_config': '{"comm',
      'jobs/damaged/preprocessed': 'true',
      'jobs/over/launch_config': good,
      'jobs/over/preprocessed': 'true',
      'jobs/over/final_status': '"complete"',
      'jobs/submitted/launch_config': good,
      'jobs/set-up/tool_id': '""',
    })
    const jobs = await countJobs({
      managers: [managerConfig(join(root, 'jobs'))],
      persistenceDirectory: join(root, 'active'),
      stagingDirectory: join(root, 'jobs'),
    })
    expect(describeJobs(jobs)).toBe(
      '2 under way (2 queued or running), and 3 being set up or waiting to be collected',
    )
    expect(describeBroken(jobs).join('\n')).toMatch(
      /^1 job cannot be continued.*\n {2}job "damaged": its launch_config is cut off/,
    )
  })
})
