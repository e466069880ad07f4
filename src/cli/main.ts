import path from 'node:path'
import { parseArgs } from 'node:util'

export interface ServeArguments {
  readonly config: string
  readonly host?: string
  readonly port?: number
  readonly allowRoot?: boolean
  readonly allowWithoutToken?: boolean
}

/** `magnetar …`: resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const direct = plainServe(argv)
  if (direct) return serveNode(direct)
  const { runProgram } = await import('./program.js')
  try {
    return await runProgram(argv, serveNode)
  } catch (error) {
    // A command that ended by something it did not expect, in its clearing up for one.
    const [{ printError }, { exitCodeOf }] = await Promise.all([
      import('./print.js'),
      import('./exit-code-of.js'),
    ])
    printError(error)
    return exitCodeOf(error)
  }
}

async function serveNode({
  config,
  host,
  port,
  allowRoot,
  allowWithoutToken,
}: ServeArguments): Promise<number> {
  const { serve } = await import('./serve.js')
  return serve({
    configDirectory: path.resolve(config),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(allowRoot ? { allowRoot } : {}),
    ...(allowWithoutToken ? { allowWithoutToken } : {}),
    env: process.env,
    cwd: process.cwd(),
  })
}

/**
 * A `serve` without any mistake, as service managers start it: read without the command line parser, whose loading would make up a
 * tenth of the start. undefined: anything else.
 */
function plainServe([command, ...args]: readonly string[]): ServeArguments | undefined {
  if (command !== 'serve') return undefined
  try {
    const { values } = parseArgs({
      args,
      options: { config: { type: 'string', short: 'c' }, host: { type: 'string' }, port: { type: 'string' } },
    })
    const { config, host, port } = values
    if (!config || host === '' || (port !== undefined && !(/^\d+$/.test(port) && Number(port) <= 65535)))
      return undefined
    return {
      config,
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port: Number(port) }),
    }
  } catch {
    return undefined
  }
}
