import { expect, it } from 'vitest'
import { nearIds } from '../../../src/cli/jobs/near-ids.js'

it.each([
  ['103', ['102', '104', '1034', '2103'], []],
  ['on', ['one', 'two'], ['one']],
  ['bwa-job', ['bwa_job'], ['bwa_job']],
  ['sample-aplha-1', ['sample-alpha-1', 'sample-alpha-2'], ['sample-alpha-1']],
  ['3f2a', ['3f2a9c04-77aa', '3f2b0000-1111'], ['3f2a9c04-77aa']],
])('by %s of %j is perhaps meant %j', (id, ids, near) => {
  expect(nearIds(id, ids)).toEqual(near)
})
