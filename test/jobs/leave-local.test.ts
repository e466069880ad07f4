import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { keepStreams } from '../../src/jobs/disk/kept-streams.js'
import { leaveLocalJob, takeBackJob } from '../../src/jobs/disk/leave-local.js'
import { identify } from '../../src/schedulers/process-table.js'
import { startedLine } from '../../src/schedulers/started-file.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

// What the Python server does with these files is in test/peers/switch.test.ts.

const template = readFileSync(path.join('templates', 'wait-for-job.sh'), 'utf8')
let directory: string
let tool: ChildProcess

const file = (name: string): string => path.join(directory, name)
const text = (name: string): string => readFileSync(file(name), 'utf8')
/** As park does: a Python server finds the job after that. */
const leave = (): boolean => {
  const hasBegun = leaveLocalJob(directory, file('command.sh'), { hasQueue: true, template })
  if (hasBegun) keepStreams(directory)
  return hasBegun
}

beforeEach(async () => {
  directory = path.join(await tempDirectory(), "it's here")
  for (const name of ['working', 'metadata']) mkdirSync(file(name), { recursive: true })
})

function begin(): void {
  tool = spawn('sleep', ['60'])
  onTestFinished(() => void tool.kill('SIGKILL'))
  const process = identify(tool.pid ?? 0)
  if (!process) throw new Error('no process')
  writeFileSync(file('started'), startedLine(process))
  writeFileSync(file('metadata/job_stdout'), 'so far\n')
}

/** As a Python server runs what J/command_line says: after removing that, with the streams emptied and the pid written. */
async function standIn(): Promise<ChildProcess> {
  writeFileSync(file('metadata/job_stdout'), '')
  const child = spawn('/bin/sh', ['-c', text('command_line')], { cwd: file('working'), stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  writeFileSync(file('pid'), JSON.stringify(String(child.pid)))
  await waitFor(() => text('pid') === `"${tool.pid}"`, { what: 'pid of the job itself' })
  return child
}

it('names the script of a job that has not begun', () => {
  expect(leave()).toBe(false)
  const quoted = file('command.sh').replace("'", "'\\''")
  expect(text('command_line')).toBe(`'${quoted}'`)
})

it('stands in for a running job until it ends, with its output and its exit code', async () => {
  begin()
  expect(leave()).toBe(true)
  const child = await standIn()
  expect(child.exitCode).toBeNull()
  writeFileSync(file('return_code'), '4\n')
  tool.kill('SIGKILL')
  await once(child, 'exit')
  expect(child.exitCode).toBe(0)
  expect([text('return_code'), text('metadata/job_stdout')]).toEqual(['4\n', 'so far\n'])
  expect(existsSync(file('command_line'))).toBe(false)
})

it('tells of a job that was killed', async () => {
  begin()
  leave()
  const child = await standIn()
  writeFileSync(file('.magnetar-exit'), '-9\n')
  tool.kill('SIGKILL')
  await once(child, 'exit')
  expect(text('return_code')).toBe('-9\n')
})

it('is found again by the next start of that server, and ends when this one has the job back', async () => {
  begin()
  leave()
  const commandLine = text('command_line')
  const child = await standIn()
  expect(text('command_line')).toBe(commandLine)
  takeBackJob(directory)
  await once(child, 'exit')
  expect(text('metadata/job_stdout')).toBe('so far\n')
  expect(tool.exitCode ?? tool.signalCode).toBeNull()
  expect(
    ['command_line', '.magnetar-left', '.magnetar-wait'].filter((name) => existsSync(file(name))),
  ).toEqual([])
})

it('leaves no stand-in where no queue would run it', () => {
  begin()
  expect(leaveLocalJob(directory, file('command.sh'), { hasQueue: false, template })).toBe(true)
  expect(existsSync(file('command_line'))).toBe(false)
  expect(text('metadata/job_stdout')).toBe('so far\n')
})
