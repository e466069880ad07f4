import { spawn } from 'node:child_process'

export interface CommandResult {
  /** null when it was ended by a signal. */
  readonly exitCode: number | null
  /** Standard output and standard error, as they came. */
  readonly output: string
}

interface CommandOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly timeoutMs?: number
}

/** Runs a command to its end and never throws for its exit code; a command that cannot be started has exit code 127. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 60_000,
      killSignal: 'SIGKILL',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    child.once('error', (error) => resolve({ exitCode: 127, output: `${output}${error.message}` }))
    child.once('close', (exitCode) => resolve({ exitCode, output }))
  })
}
