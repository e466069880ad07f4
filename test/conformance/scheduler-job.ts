import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scheduler, SchedulerReport, Submission } from '../../src/schedulers/scheduler.js'
import { STARTED_FRAGMENT } from '../../src/schedulers/started-file.js'
import { waitFor } from '../helpers/wait-for.js'

export const { signal } = new AbortController()

/** The body of a script that runs until the test says so with `release`. */
export const UNTIL_RELEASED = 'until [ -e release ]; do sleep 0.05; done'

/** A job directory with a script as the jobs room writes it: headers, the started guard, then `body`. Each run adds a line to `runs`. */
export async function writeJob(
  scheduler: Scheduler,
  root: string,
  jobId: string,
  body: string,
): Promise<Submission> {
  const directory = join(root, jobId)
  const workingDirectory = join(directory, 'working')
  await mkdir(workingDirectory, { recursive: true })
  const job = {
    jobId,
    name: `conformance_${jobId}`,
    directory,
    workingDirectory,
    stdout: join(directory, 'job_stdout'),
    stderr: join(directory, 'job_stderr'),
  }
  const script = join(directory, 'command.sh')
  const lines = [
    '#!/bin/bash',
    ...scheduler.headers(job, {}),
    STARTED_FRAGMENT(directory),
    'echo run >> runs',
    body,
    '',
  ]
  await writeFile(script, lines.join('\n'))
  await chmod(script, 0o700)
  return { ...job, script }
}

export async function release(job: Submission): Promise<void> {
  await writeFile(join(job.workingDirectory, 'release'), '')
}

/** A file of the working directory, once it is there and has a whole line. */
export function lineOf(job: Submission, name: string): Promise<string> {
  return waitFor(
    async () => {
      const text = await readFile(join(job.workingDirectory, name), 'utf8').catch(() => '')
      return text.endsWith('\n') && text.trim()
    },
    { what: `line in ${name} of job ${job.jobId}`, timeoutMs: 30_000 },
  )
}

export async function reportOf(
  scheduler: Scheduler,
  externalId: string,
): Promise<SchedulerReport | undefined> {
  return (await scheduler.states([externalId], signal)).get(externalId)
}

/** Asks until the job is in one of these states. */
export function waitForState(
  scheduler: Scheduler,
  externalId: string,
  ...states: readonly SchedulerReport['state'][]
): Promise<SchedulerReport> {
  return waitFor(
    async () => {
      const report = await reportOf(scheduler, externalId)
      return report && states.includes(report.state) && report
    },
    { what: `state ${states.join(' or ')} of ${externalId}`, timeoutMs: 30_000 },
  )
}
