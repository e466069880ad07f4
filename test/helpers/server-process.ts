import { spawn } from 'node:child_process'
import { type EventEmitter, once } from 'node:events'
import type { Readable } from 'node:stream'
import { afterAll } from 'vitest'
import { waitFor } from './wait-for.js'

/** What is used of a child process. */
export interface ServerChild extends EventEmitter {
  readonly pid?: number | undefined
  readonly exitCode: number | null
  readonly signalCode: NodeJS.Signals | null
  readonly stdout: Readable
  /** undefined: it goes where standard output goes. */
  readonly stderr?: Readable
  kill(signal: NodeJS.Signals): boolean
}

export interface ServerCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Base URL, with a slash at the end. */
  readonly url: string
  readonly startTimeoutMs?: number
  /** Whether the server answers at this URL, instead of a plain fetch (self-signed certificates). */
  readonly request?: (url: string) => Promise<boolean>
  /** Starts it in a process group of its own; usually as a child process. */
  readonly start?: (options: ServerCommand) => Promise<ServerChild>
}

export interface ServerProcess {
  readonly url: string
  readonly pid: number
  /** All that it has written to standard output and error so far. */
  logs(): string
  /** Resolves as soon as it writes something that matches, from now on. */
  whenLogged(pattern: RegExp): Promise<void>
  /** SIGTERM; after 10 s SIGKILL. Resolves with the exit code, null when it had to be killed. Idempotent. */
  stop(): Promise<number | null>
  /** SIGKILL, to the server alone: what it started goes on. */
  kill9(): Promise<void>
}

const stopTimeoutMs = 10_000
const running = new Set<ServerProcess>()

afterAll(async () => {
  await Promise.all([...running].map((server) => server.stop()))
})

/**
 * Starts a server in a process group of its own and waits until it answers HTTP, whatever the status. It is stopped when
 * the test file ends, if not before.
 * @throws with what the server wrote, when it ends or does not answer in time
 */
export async function startServerProcess(options: ServerCommand): Promise<ServerProcess> {
  const child = await (options.start ?? spawnChild)(options)
  let logs = ''
  const listeners = new Set<() => void>()
  for (const stream of child.stderr ? [child.stdout, child.stderr] : [child.stdout]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      logs += chunk
      for (const listener of listeners) listener()
    })
  }
  const { pid } = child
  if (pid === undefined) {
    const [error] = await once(child, 'error')
    throw error
  }
  const ended = once(child, 'exit').then(() => {
    running.delete(server)
  })
  const server: ServerProcess = {
    url: options.url,
    pid,
    logs: () => logs,
    whenLogged(pattern) {
      const from = logs.length
      return new Promise((resolve) => {
        const listener = (): void => {
          if (!pattern.test(logs.slice(from))) return
          listeners.delete(listener)
          resolve()
        }
        listeners.add(listener)
      })
    },
    async stop() {
      await stopGroup(child, pid, ended)
      return child.exitCode
    },
    async kill9() {
      child.kill('SIGKILL')
      await ended
    },
  }
  running.add(server)
  try {
    await waitFor(() => answers(child, options), {
      what: `answer from ${options.url}`,
      timeoutMs: options.startTimeoutMs ?? 60_000,
    })
  } catch (error) {
    await server.stop()
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${options.command} ${options.args.join(' ')}: ${reason}\n${logs}`)
  }
  return server
}

async function spawnChild({ command, args, cwd, env }: ServerCommand): Promise<ServerChild> {
  return spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
}

/** SIGTERM to the server alone, as a service manager does; SIGKILL to its whole group. */
async function stopGroup(child: ServerChild, pid: number, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const timer = setTimeout(() => process.kill(-pid, 'SIGKILL'), stopTimeoutMs)
  await ended
  clearTimeout(timer)
}

async function answers(child: ServerChild, { url, request }: ServerCommand): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) {
    throw new Error(`it ended with ${child.signalCode ?? child.exitCode} before it answered`)
  }
  if (request) return request(new URL('healthz', url).href)
  try {
    const answer = await fetch(new URL('healthz', url), { signal: AbortSignal.timeout(5_000) })
    await answer.arrayBuffer()
    return true
  } catch {
    return false
  }
}
