import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { removeFile } from '../../src/jobs/disk/end.js'
import { createLister } from '../../src/jobs/disk/listing.js'
import { adoptByPid } from '../../src/schedulers/foreign-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'

it('a pipe or a device in the place of the pid of a job is neither waited for nor read', async () => {
  const directory = await tempDirectory()
  const job = { directory, script: path.join(directory, 'command.sh') }
  execFileSync('mkfifo', [path.join(directory, 'pid')])
  expect(await adoptByPid(job)).toBe(false)
  removeFile(path.join(directory, 'pid'))
  symlinkSync('/dev/zero', path.join(directory, 'pid'))
  expect(await adoptByPid(job)).toBe(false)
})

it('a process that is taken over is noted in a file of its own, not through a link that the job left', async () => {
  const directory = await tempDirectory()
  const outside = path.join(await tempDirectory(), 'outside')
  writeFileSync(outside, 'theirs')
  mkdirSync(path.join(directory, 'working'))
  const child = spawn('sleep', ['60'], { cwd: path.join(directory, 'working'), stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  writeFileSync(path.join(directory, 'pid'), `"${child.pid}"`)
  symlinkSync(outside, path.join(directory, '.magnetar-started'))
  expect(await adoptByPid({ directory, script: path.join(directory, 'command.sh') })).toBe(true)
  expect(readFileSync(outside, 'utf8')).toBe('theirs')
  expect(readFileSync(path.join(directory, 'started'), 'utf8')).toContain(`${child.pid}`)
})

it('a directory in the place of a file, and a link to itself in that of a job, are passed over', async () => {
  const directory = await tempDirectory()
  mkdirSync(path.join(directory, 'submitted'))
  expect(() => removeFile(path.join(directory, 'submitted'))).not.toThrow()
  symlinkSync('loop', path.join(directory, 'loop'))
  expect(
    createLister({ names: 10, characters: 1000, links: 10 }).filesBelow(
      path.join(directory, 'loop', 'outputs'),
    ),
  ).toEqual([])
})
