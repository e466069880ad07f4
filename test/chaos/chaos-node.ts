import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { hasEnvironment, readProcesses } from '../../src/schedulers/process-table.js'
import { freePort } from '../helpers/free-port.js'
import { type AppOptions, writeNodeConfig } from '../peers/pulsar-config.js'
import type { Fault, FaultLayer } from './faults/faults.js'

/** How a server of one kind is started from the configuration in `directory`. */
export interface ServerProgram {
  readonly name: string
  command(directory: string, port: number): readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** How a server went that was not asked to. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it wrote in its life. */
  readonly logs: string
}

/** A server that may die at any time, and is then started again by whoever needs it next. */
export interface ChaosNode {
  /** Name of what runs as the server. */
  readonly program: string
  readonly directory: string
  readonly url: string
  readonly layer: FaultLayer
  readonly starts: number
  /** Deaths that nobody asked for, and starts that failed. */
  readonly endings: readonly Ending[]
  /** Runs, or runs again. With `fault`: the next start meets it. @throws Error when it cannot be started without faults either */
  ensureUp(fault?: Fault): Promise<void>
  isUp(): boolean
  /** Resolves when the process that runs now has ended. */
  whenDead(): Promise<void>
  kill(): Promise<void>
  /** Stops it as a service manager does, and starts it again. */
  restart(): Promise<void>
  /** All that it has written. */
  logs(): string
  /** Ends it and all that it or its jobs left running. */
  close(): Promise<void>
  /** Kills what it and its jobs left running: the power is gone. */
  killAll(): Promise<void>
}

const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 20_000

export interface ChaosNodeOptions {
  /** Keeps the log of changes. */
  readonly logsChanges?: boolean
  /** Called before each start, the first one too. */
  readonly beforeStart?: (killAll: () => Promise<void>) => Promise<void>
}

export async function createChaosNode(
  program: ServerProgram,
  directory: string,
  layer: FaultLayer,
  app: AppOptions,
  { logsChanges = false, beforeStart }: ChaosNodeOptions = {},
): Promise<ChaosNode> {
  const port = await freePort()
  await writeNodeConfig({ directory, app }, port)
  const url = `http://127.0.0.1:${port}/`
  const endings: Ending[] = []
  let child: ChildProcess | undefined
  let ended: Promise<unknown> = Promise.resolve()
  let logs = ''
  let all = ''
  let starts = 0
  let expected = false
  let starting: Promise<void> | undefined

  const isUp = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null

  function launch(fault: Fault | undefined): void {
    layer.reset({ logs: logsChanges })
    if (fault) layer.arm(fault)
    const [command, ...args] = program.command(directory, port)
    logs = ''
    expected = false
    starts += 1
    const started = spawn(command, args, {
      cwd: directory,
      env: { ...process.env, ...program.env, ...layer.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        logs += text
        all = (all + text).slice(-200_000)
      })
    }
    child = started
    ended = once(started, 'exit').then(() => {
      if (!expected) endings.push({ code: started.exitCode, signal: started.signalCode, logs })
    })
  }

  async function answers(): Promise<boolean> {
    try {
      const answer = await fetch(new URL('healthz', url), { signal: AbortSignal.timeout(5_000) })
      await answer.arrayBuffer()
      return true
    } catch {
      return false
    }
  }

  async function start(first: Fault | undefined): Promise<void> {
    for (let attempt = 0, fault = first; ; attempt++, fault = undefined) {
      await reap()
      await beforeStart?.(killAll)
      launch(fault)
      const deadline = performance.now() + START_TIMEOUT_MS
      while (isUp()) {
        if (await answers()) return
        if (performance.now() > deadline) {
          await stop('SIGKILL')
          endings.push({ code: null, signal: null, logs: `no answer within ${START_TIMEOUT_MS} ms\n${logs}` })
          break
        }
        await delay(15)
      }
      if (attempt > 0) throw new Error(`${program.name} does not start any more:\n${logs.slice(-3000)}`)
    }
  }

  /** A master that was killed may leave workers for a moment; they hold the port. */
  async function reap(): Promise<void> {
    if (!child?.pid || isUp()) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Nobody is left.
    }
  }

  async function stop(signal: NodeJS.Signals): Promise<void> {
    if (!isUp()) return
    expected = true
    child?.kill(signal)
    const timer = setTimeout(() => child?.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(timer)
  }

  async function killAll(): Promise<void> {
    const mark = `MAGNETAR_FAULTS=${layer.env.MAGNETAR_FAULTS}`
    for (let left = 1, tries = 0; left > 0 && tries < 200; tries++) {
      const marked = readProcesses().filter(({ pid }) => pid !== process.pid && hasEnvironment(pid, mark))
      for (const { pid } of marked) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // Gone by itself.
        }
      }
      left = marked.length
      if (left > 0) await delay(5)
    }
  }

  const node: ChaosNode = {
    program: program.name,
    directory,
    url,
    layer,
    get starts() {
      return starts
    },
    endings,
    isUp,
    ensureUp(fault) {
      if (isUp() && !starting) return Promise.resolve()
      starting ??= start(fault).finally(() => {
        starting = undefined
      })
      return starting
    },
    whenDead: async () => void (await ended),
    async kill() {
      expected = true
      await stop('SIGKILL')
      await reap()
    },
    async restart() {
      await stop('SIGTERM')
      await node.ensureUp()
    },
    logs: () => all,
    killAll,
    async close() {
      await stop('SIGTERM')
      await killAll()
      layer.close()
    },
  }
  return node
}
