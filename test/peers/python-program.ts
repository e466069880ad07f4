import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { type CommandResult, runCommand } from '../helpers/run-command.js'
import { waitFor } from '../helpers/wait-for.js'

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

/** By a Python of its own each. @param python the command line */
export function loadEachTime([command = '', ...before]: readonly string[]): RunPython {
  return (program, args, options) => runCommand(command, [...before, program, ...args], options)
}

/**
 * For a test file that runs many programs of the Pulsar client: what they load is loaded once for all, which takes seconds.
 * @param python the command line of the Python that has the client
 */
export function shareLoadedPython(python: () => readonly string[]): RunPython {
  let started: Promise<Forks> | undefined
  afterAll(async () => (await started)?.end())
  return async (program, args, { env = {}, timeoutMs = 60_000 } = {}) => {
    started ??= startForks(python())
    const { socket } = await started
    return new Promise((done, fail) => {
      const connection = createConnection(socket)
      let output = ''
      const end = (result: CommandResult): void => {
        connection.destroy()
        done(result)
      }
      connection.setEncoding('utf8').setTimeout(timeoutMs)
      connection.write(`${JSON.stringify({ argv: [program, ...args], env })}\n`)
      connection.on('data', (chunk: string) => {
        output += chunk
        const code = /\0(\d+)\n$/.exec(output)
        if (code) end({ exitCode: Number(code[1]), output: output.slice(0, code.index) })
      })
      connection.once('timeout', () => end({ exitCode: null, output }))
      connection.once('close', () => end({ exitCode: null, output }))
      connection.once('error', fail)
    })
  }
}

interface Forks {
  readonly socket: string
  end(): Promise<void>
}

async function startForks([command = '', ...args]: readonly string[]): Promise<Forks> {
  const directory = await mkdtemp(join(tmpdir(), 'mt-'))
  const socket = join(directory, 's')
  const program = fileURLToPath(new URL('python-forks.py', import.meta.url))
  const child = spawn(command, [...args, program, socket], { stdio: ['pipe', 'inherit', 'inherit'] })
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  await waitFor(() => existsSync(socket), { what: 'Python with the Pulsar client', timeoutMs: 60_000 })
  return {
    socket,
    async end() {
      child.stdin.end()
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}
