import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lookUpUser } from '../../../src/lib/accounts.js'
import { demandsOfJobs } from '../../../src/setup/adopt/demands-of-jobs.js'
import { managerConfig } from '../../helpers/manager.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { writeFiles } from '../install-fixture.js'

const signal = new AbortController().signal
const isRoot = process.getuid?.() === 0

describe('the jobs of a Python Pulsar, for its user', () => {
  it.skipIf(!isRoot)('have to be his to read and write, and their index too', async () => {
    const user = await lookUpUser('nobody', signal)
    const root = await tempDirectory()
    chmodSync(root, 0o755)
    writeFiles(root, {
      'jobs/1/launch_config': '',
      'jobs/2/launch_config': '',
      'jobs/a\nb/launch_config': '',
    })
    const index = join(root, 'active', '_default_-active-jobs')
    mkdirSync(index, { recursive: true })
    const config = {
      managers: [managerConfig(join(root, 'jobs'))],
      persistenceDirectory: join(root, 'active'),
    }
    const live = ['1', '2', 'a\nb'].map((id) => join(root, 'jobs', id))
    const give = (path: string, uid = user?.uid ?? 0): void => chownSync(path, uid, uid)
    for (const path of [index, ...live]) give(path)
    const ask = () => demandsOfJobs(config, live, user, signal)
    expect(await ask()).toEqual({ obstacles: [], losses: [], notes: [] })
    give(index, 0)
    give(live[2] ?? '', 0)
    chmodSync(join(live[1] ?? '', 'launch_config'), 0o600)
    const { obstacles, losses } = await ask()
    expect(obstacles).toEqual([expect.stringContaining(`nobody may not read and write ${index}`)])
    expect(losses).toEqual([expect.stringContaining(`: ${live[1]}/launch_config, ${live[2]}. `)])
    expect(await demandsOfJobs(config, live, undefined, signal)).toMatchObject({ obstacles: [], losses: [] })
  })

  it('are looked at by one process, however many they are', async () => {
    const root = await tempDirectory()
    writeFiles(root, { 'one/launch_config': '' })
    const many = Array.from({ length: 10_000 }, () => join(root, 'one'))
    const config = { managers: [managerConfig(root)], persistenceDirectory: root }
    expect(await demandsOfJobs(config, many, undefined, signal)).toEqual({
      obstacles: [],
      losses: [],
      notes: [],
    })
  })
})
