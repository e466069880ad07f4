import fs from 'node:fs'
import path from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import { replaceOwnFile } from '../../lib/own-file.js'
import { quoteForShell } from '../../lib/shell.js'
import { findScriptProcess, identify } from '../../schedulers/process-table.js'
import { type ProcessIdentity, parseStarted, STARTED_FILE } from '../../schedulers/started-file.js'
import { readIfThere, removeFile } from './end.js'
import { returnStreams } from './kept-streams.js'

/** Names of ours in a job directory that was left to a Python server; templates/wait-for-job.sh knows them too. */
const LEFT = '.magnetar-left'
const WAIT = '.magnetar-wait'

/**
 * Leaves a job that was handed to the local scheduler as a Python server would find its own (pulsar/managers/queued.py): waiting, with
 * the script in J/command_line, or begun. For one that has begun J/command_line names a stand-in that waits for its end: without that
 * file the Python server would call the job lost. Its streams are still to be kept from that server (keepStreams): `park` does that, last.
 * @param options.hasQueue false for `unqueued`, which reads no J/command_line: there the process that waits for the script tells of its end
 * @param options.template of the stand-in
 * @returns whether the job has begun
 */
export function leaveLocalJob(
  directory: string,
  script: string,
  { hasQueue, template }: { readonly hasQueue: boolean; readonly template: string },
): boolean {
  const process = begunProcess(directory, script)
  if (process === 'none') {
    if (hasQueue) replaceOwnFile(directory, 'command_line', quoteForShell(script))
    return false
  }
  const wait = path.join(directory, WAIT)
  const commandLine = `exec /bin/sh ${quoteForShell(wait)}`
  replaceOwnFile(directory, WAIT, waitScript(template, directory, process))
  replaceOwnFile(directory, LEFT, commandLine)
  if (hasQueue) replaceOwnFile(directory, 'command_line', commandLine)
  return true
}

/**
 * Of a job that is yet to be launched by the queue of a Python server. While that starts, it launches it in a thread of its own, and
 * meanwhile queues every launched job whose J/command_line it can read (pulsar/managers/stateful.py:recover_active_jobs): this one a second
 * time, if the thread was quick. Written into /dev/null the command cannot be read again; the queue has it in memory, and removes the link.
 */
export function leaveUnlaunchedJob(directory: string): void {
  const file = path.join(directory, 'command_line')
  removeFile(file)
  try {
    fs.symlinkSync('/dev/null', file)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
  }
}

/** Takes back what a clean stop left of a job that is not over, whoever was there meanwhile. */
export function takeBackJob(directory: string): void {
  for (const name of ['command_line', LEFT, WAIT, 'preprocessed', 'submitted', 'running'])
    removeFile(path.join(directory, name))
  returnStreams(directory)
}

/** undefined: it has begun, and its process is not known any more. */
function begunProcess(directory: string, script: string): ProcessIdentity | 'none' | undefined {
  const started = readIfThere(path.join(directory, STARTED_FILE))
  if (started !== undefined) return parseStarted(started)?.process ?? findScriptProcess(script)
  // Forked a moment ago.
  const pid = /^"(\d+)"$/.exec(readIfThere(path.join(directory, 'pid')) ?? '')?.[1]
  return (pid === undefined ? undefined : identify(Number(pid))) ?? 'none'
}

function waitScript(template: string, directory: string, process: ProcessIdentity | undefined): string {
  const values: Record<string, string> = {
    JOB: quoteForShell(directory),
    PID: String(process?.pid ?? 0),
    START: process?.startTime ?? '0',
    BOOT: process?.bootId ?? '',
  }
  return template.replace(/@@([A-Z]+)@@/g, (_match, name: string) => values[name] ?? '')
}
