import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { readJobConf, writeJobConf } from '../../src/cli/galaxy/job-conf-file.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const NOBODY = 65534
const { signal } = new AbortController()
const isRoot = process.getuid?.() === 0
let directory: string
let file: string

beforeEach(async () => {
  directory = await tempDirectory()
  file = join(directory, 'job_conf.yml')
  writeFileSync(file, 'before\n', { mode: 0o640 })
})

it('a file that cannot be replaced leaves no backup of it behind', async () => {
  // In the way of the new file, after the backup was made.
  mkdirSync(join(directory, '.job_conf.yml.magnetar-new'))
  const read = await readJobConf(file, signal)
  await expect(writeJobConf(read, 'after\n', signal)).rejects.toThrow('cannot be replaced')
  expect(readdirSync(directory).sort()).toEqual(['.job_conf.yml.magnetar-new', 'job_conf.yml'])
  expect(readFileSync(file, 'utf8')).toBe('before\n')
})

it(
  'the group of a file is named where it is what keeps its owner from replacing it',
  needs(isRoot ? undefined : 'not root'),
  async () => {
    chmodSync(directory, 0o777)
    chownSync(file, NOBODY, 0)
    const groups = process.getgroups?.() ?? []
    onTestFinished(() => {
      process.seteuid?.(0)
      process.setegid?.(0)
      process.setgroups?.(groups)
    })
    process.setgroups?.([])
    process.setegid?.(NOBODY)
    process.seteuid?.(NOBODY)
    const read = await readJobConf(file, signal)
    await expect(writeJobConf(read, 'after\n', signal)).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
      message: expect.stringContaining('the group with the number 0, which this user is not in'),
      fix: expect.stringContaining(`chgrp ${NOBODY} ${file}`),
    })
    expect(readdirSync(directory)).toEqual(['job_conf.yml'])
  },
)
