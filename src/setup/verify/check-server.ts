import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CheckFailed } from '../../check/follow-job.js'
import type { User } from '../../lib/accounts.js'
import { messageOf } from '../../lib/errors.js'
import type { NodePaths } from '../types.js'
import type { NodeAccess } from './node-access.js'
import { askHealth } from './wait-healthy.js'

/** A server that runs for as long as a check does. */
export interface CheckServer {
  /** SIGINT, as the service would; SIGKILL after 8 s. Jobs go on. */
  stop(): Promise<void>
}

const START_LIMIT_MS = 30_000
const STOP_LIMIT_MS = 8000
const PAUSE_MS = 50
const MAX_LINES = 12
const MAX_OUTPUT = 16_384

/**
 * Starts the node's server as its service would, as `user` (undefined: as whoever runs this), and waits until it answers. It ends with
 * this process, also when that is killed.
 * @throws CheckFailed at stage connect with what it wrote, when it does not come up
 */
export async function startCheckServer(options: {
  readonly paths: Pick<NodePaths, 'prefix' | 'bin' | 'etc'>
  readonly access: NodeAccess
  readonly user: User | undefined
  readonly signal: AbortSignal
  readonly startLimitMs?: number
}): Promise<CheckServer> {
  const { access, signal, startLimitMs = START_LIMIT_MS } = options
  const child = launch(options)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-MAX_OUTPUT)
    })
  let gone = false
  const ended = once(child, 'exit')
    .catch((error: unknown) => {
      output += messageOf(error)
    })
    .finally(() => {
      gone = true
    })
  const server: CheckServer = { stop: () => stop(child, ended) }
  const deadlineMs = performance.now() + startLimitMs
  try {
    for (;;) {
      const problem = await askHealth(access, signal)
      if (problem === undefined) return server
      if (gone || problem.final || performance.now() > deadlineMs) {
        const why = gone ? 'the server, started for this check, ended at once' : problem.message
        throw new CheckFailed('connect', `${why}${lastLines(output)}`, [])
      }
      await delay(PAUSE_MS)
      signal.throwIfAborted()
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

function launch({
  paths,
  user,
}: {
  readonly paths: Pick<NodePaths, 'prefix' | 'bin' | 'etc'>
  readonly user: User | undefined
}): ChildProcess {
  const program = [join(paths.bin, 'pulsar'), '--mode', 'uwsgi', '--config', paths.etc]
  const identity = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups'] : []
  const env = {
    ...process.env,
    ...(user ? { HOME: user.home, USER: user.name, LOGNAME: user.name, SHELL: user.shell } : {}),
    VIRTUAL_ENV: paths.prefix,
    PATH: `${paths.bin}:${process.env.PATH ?? '/usr/bin:/bin'}`,
    // Of whoever runs setup, and not for the server.
    NOTIFY_SOCKET: undefined,
  }
  return spawn('setpriv', [...identity, '--pdeathsig=INT', '--', ...program], {
    cwd: paths.etc,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C is for setup, which then stops the server itself.
    detached: true,
  })
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.pid === undefined) return
  child.kill('SIGINT')
  const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
  await ended
  clearTimeout(limit)
  // Jobs that go on may hold the pipes open.
  child.stdout?.destroy()
  child.stderr?.destroy()
}

function lastLines(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  return lines.length === 0
    ? ''
    : `:\n${lines
        .slice(-MAX_LINES)
        .map((line) => `    | ${line}`)
        .join('\n')}`
}
