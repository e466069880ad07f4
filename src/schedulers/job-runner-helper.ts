/** The process that forks for the server: templates/job-runner.sh, in a session of its own, and the pipes to it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { localJobEnvironment } from './local-environment.js'

export interface RunnerHelper {
  readonly pid: number
  readonly ended: boolean
  send(request: string): void
  /** Lets go of it: it ends when it has read all requests, the jobs go on. */
  close(): void
}

export interface HelperListener {
  /** A line of its standard output. Those of its jobs still come when it has ended. */
  report(line: string): void
  /** A line of its standard error. */
  complain(line: string): void
  /** "signal SIGKILL", "exit code 1" */
  ended(helper: RunnerHelper, how: string): void
}

const FILE = fileURLToPath(new URL('../../templates/job-runner.sh', import.meta.url))
/** A line is some 50 bytes; what is longer comes from elsewhere. */
const MAX_LINE = 4096

/** @throws the system's error when it cannot be started */
export async function startHelper(listener: HelperListener): Promise<RunnerHelper> {
  const child = spawn('/bin/bash', [FILE], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    env: localJobEnvironment(),
  })
  // Without descriptors for them there are no pipes, whatever the type says.
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.on('error', () => {})
  if (child.pid === undefined) {
    const [error] = await once(child, 'error')
    throw error
  }
  child.on('error', () => {})
  const helper = makeHelper(child, child.pid)
  readLines(child.stdout, listener.report)
  readLines(child.stderr, listener.complain)
  child.once('exit', (code, signal) =>
    listener.ended(helper, signal === null ? `exit code ${code}` : `signal ${signal}`),
  )
  child.unref()
  for (const pipe of [child.stdin, child.stdout, child.stderr]) if (pipe instanceof Socket) pipe.unref()
  return helper
}

function makeHelper(child: ChildProcess, pid: number): RunnerHelper {
  return {
    pid,
    get ended() {
      return child.exitCode !== null || child.signalCode !== null
    },
    send(request) {
      child.stdin?.write(request)
    },
    close() {
      child.stdin?.end()
      child.stdout?.destroy()
      child.stderr?.destroy()
    },
  }
}

function readLines(stream: Readable, each: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()?.slice(0, MAX_LINE) ?? ''
    for (const line of lines) each(line)
  })
}
