import { EventEmitter, once } from 'node:events'
import { createConnection } from 'node:net'
import { constants } from 'node:os'
import { PassThrough } from 'node:stream'
import { inject } from 'vitest'
import type { CommandResult } from '../helpers/run-command.js'
import type { ServerChild } from '../helpers/server-process.js'

interface ProgramOptions {
  /** Beside those of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** For which the program may say nothing. */
  readonly timeoutMs?: number
}

/** Runs a Python program to its end. */
export type RunPython = (
  program: string,
  args: readonly string[],
  options?: ProgramOptions,
) => Promise<CommandResult>

/**
 * By forks of the Python of the Pulsar venv that has loaded server and client once for all: to load them takes seconds.
 * @param net the file of the network namespace that they are to run in
 */
export function shareLoadedPython(net?: () => string): RunPython {
  return async (program, args, { env = {}, timeoutMs = 60_000 } = {}) => {
    const child = await startLoaded({ argv: [program, ...args], env, ...(net ? { net: net() } : {}) })
    let output = ''
    const result = new Promise<CommandResult>((done) => {
      const end = (): void => {
        child.end()
        done({ exitCode: child.exitCode, output })
      }
      const timer = setTimeout(end, timeoutMs)
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
        timer.refresh()
      })
      child.once('exit', () => {
        clearTimeout(timer)
        end()
      })
    })
    return result
  }
}

interface Request {
  readonly argv: readonly [string, ...string[]]
  readonly cwd?: string
  /** Beside those of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly net?: string
  /** In a session of its own; when the test ends, all in its process group is killed with it. */
  readonly session?: boolean
}

/** A fork that begins as a Python that is given this command line. */
export async function startLoaded(request: Request): Promise<LoadedPython> {
  const socket = inject('loadedPython')
  if (socket === undefined) throw new Error('no Python Pulsar; run "npm run peers"')
  const env = { ...process.env, ...request.env }
  const connection = createConnection(socket)
  const child = new LoadedPython(() => connection.destroy())
  connection.on('data', (chunk) => child.read(chunk))
  connection.once('error', (error) => child.emit('error', error))
  connection.once('close', () => child.exited(null))
  connection.write(`${JSON.stringify({ cwd: process.cwd(), ...request, env })}\n`)
  await once(child, 'spawn')
  return child
}

/** What a child process is to its parent, of a process that is another's child. */
class LoadedPython extends EventEmitter implements ServerChild {
  pid: number | undefined
  exitCode: number | null = null
  signalCode: NodeJS.Signals | null = null
  /** Standard output and error. */
  readonly stdout = new PassThrough()
  readonly #before: Buffer[] = []
  #isOver = false

  /** @param end ends it at once if it runs */
  constructor(readonly end: () => void) {
    super()
  }

  /** Of what python-forks.py sends. */
  read(chunk: Buffer): void {
    if (this.pid === undefined) {
      this.#before.push(chunk)
      const text = Buffer.concat(this.#before)
      const line = text.indexOf('\n')
      if (line === -1) return
      this.pid = Number(text.subarray(0, line).toString())
      this.emit('spawn')
      if (line + 1 < text.length) this.read(text.subarray(line + 1))
      return
    }
    const zero = chunk.indexOf(0)
    const code = zero === -1 ? undefined : /^\0(-?\d+)\n/.exec(chunk.subarray(zero).toString('latin1'))
    if (!code) {
      this.stdout.write(chunk)
      return
    }
    if (zero > 0) this.stdout.write(chunk.subarray(0, zero))
    // What it left running may go on to write.
    const rest = chunk.subarray(zero + code[0].length)
    if (rest.length > 0) this.stdout.write(rest)
    // After what was written has been read.
    setImmediate(() => this.exited(Number(code[1])))
  }

  kill(signal: NodeJS.Signals): boolean {
    if (this.#isOver || this.pid === undefined) return false
    try {
      return process.kill(this.pid, signal)
    } catch {
      // It has just ended, and the news of that is under way.
      return false
    }
  }

  /** @param code null: it is not known; negative: a signal */
  exited(code: number | null): void {
    if (this.#isOver) return
    this.#isOver = true
    if (code !== null && code >= 0) this.exitCode = code
    else this.signalCode = signalOf(code === null ? constants.signals.SIGKILL : -code)
    this.emit('exit')
  }
}

function signalOf(number: number): NodeJS.Signals {
  const found = Object.entries(constants.signals).find(([, value]) => value === number)
  return (found?.[0] ?? 'SIGKILL') as NodeJS.Signals
}
