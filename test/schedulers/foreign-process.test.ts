import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../../src/lib/log.js'
import { adoptByPid } from '../../src/schedulers/foreign-process.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import {
  lineOf,
  release,
  signal,
  UNTIL_RELEASED,
  waitForState,
  writeJob,
} from '../conformance/scheduler-job.js'
import { tempDirectory } from '../helpers/temp-directory.js'

// What a Python server has started, played by the test: it alone is told the exit code. test/peers/take-over.test.ts has the real one.

it('a job whose process was adopted, and which leaves no return code, may have ended its own shell', async () => {
  const scheduler = createLocalScheduler({ limit: 1, watchIntervalMs: 10 }, silentLogger)
  onTestFinished(() => scheduler.close())
  const job = await writeJob(scheduler, await tempDirectory(), 'p', '')
  await writeFile(job.script, `#!/bin/bash\necho run >> runs\n${UNTIL_RELEASED}\nexit 3\n`)
  const shell = spawn('/bin/sh', ['-c', job.script], { cwd: job.workingDirectory, stdio: 'ignore' })
  onTestFinished(() => void shell.kill('SIGKILL'))
  await writeFile(join(job.directory, 'pid'), JSON.stringify(String(shell.pid)))
  await lineOf(job, 'runs')
  expect(await adoptByPid(job)).toBe(true)
  await scheduler.recover([{ ...job, externalId: undefined }], signal)
  await waitForState(scheduler, 'p', 'running')
  await release(job)
  const report = await waitForState(scheduler, 'p', 'ended')
  expect(report.exitCode).toBeUndefined()
  expect(report.unexplained).toMatch(/ended the shell of the job by itself \(exit\), or it was killed/)
})
