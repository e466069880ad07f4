/** What the tests of the job runner share. */
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Logger, silentLogger } from '../../src/lib/log.js'
import { createJobRunner, type JobRunner, type JobRunnerOptions } from '../../src/schedulers/job-runner.js'
import { isAlive, readProcess, readProcesses } from '../../src/schedulers/process-table.js'
import type { Submission } from '../../src/schedulers/scheduler.js'
import { parseStarted, STARTED_FRAGMENT } from '../../src/schedulers/started-file.js'
import { waitFor } from '../helpers/wait-for.js'

export function openRunner(options: Partial<JobRunnerOptions> = {}): JobRunner {
  const runner = createJobRunner({ log: silentLogger, lastReportsMs: 20, checkIntervalMs: 20, ...options })
  onTestFinished(() => runner.close())
  return runner
}

export async function writeJob(
  root: string,
  jobId: string,
  body: string,
  guarded = true,
): Promise<Submission> {
  const directory = join(root, jobId)
  const workingDirectory = join(directory, 'working')
  await mkdir(workingDirectory, { recursive: true })
  const script = join(directory, 'command.sh')
  const guard = guarded ? [STARTED_FRAGMENT(directory), 'echo run >> runs'] : []
  await writeFile(script, ['#!/bin/bash', ...guard, body, ''].join('\n'))
  await chmod(script, 0o700)
  onTestFinished(() => endScript(directory))
  return {
    jobId,
    name: 'test',
    directory,
    script,
    workingDirectory,
    stdout: join(directory, 'out'),
    stderr: join(directory, 'err'),
  }
}

/** Nothing outlives its test, whether that passes or not. */
async function endScript(directory: string): Promise<void> {
  const text = await readFile(join(directory, 'started'), 'utf8').catch(() => '')
  const identity = parseStarted(text)?.process
  if (identity && isAlive(identity)) process.kill(-identity.pid, 'SIGKILL')
}

/** Starts it and waits for its end. */
export async function run(runner: JobRunner, job: Submission): Promise<number | undefined> {
  return (await runner.start(job)).ended
}

/** The helpers of this process that there are now. */
function helpers(): number[] {
  return readProcesses()
    .filter((entry) => entry.parent === process.pid && entry.session === entry.pid)
    .map((entry) => entry.pid)
}

export async function onlyHelper(): Promise<number> {
  return waitFor(() => (helpers().length === 1 ? helpers()[0] : undefined), { what: 'one helper' })
}

export function leaders(helper: number): number[] {
  return readProcesses()
    .filter((entry) => entry.parent === helper)
    .map((entry) => entry.pid)
}

export async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined
}

/** J/.magnetar-exit, once it is there and whole. */
export function exitFileOf(job: Submission): Promise<string> {
  const read = async (): Promise<string | false> => {
    const text = await readFile(join(job.directory, '.magnetar-exit'), 'utf8').catch(() => '')
    return text.endsWith('\n') && text
  }
  return waitFor(read, { what: `exit status of ${job.jobId}` })
}

export function parentOf(pid: number): number {
  const entry = readProcess(pid)
  if (!entry) throw new Error(`no process ${pid}`)
  return entry.parent
}

export function collectWarnings(): { log: Logger; warnings: string[] } {
  const warnings: string[] = []
  const warn = (first: object | string, second?: string): void => {
    warnings.push(second ?? String(first))
  }
  const log: Logger = { ...silentLogger, warn, child: () => log }
  return { log, warnings }
}
