import { join } from 'node:path'
import { freePort } from '../helpers/free-port.js'
import {
  type ServerChild,
  type ServerCommand,
  type ServerProcess,
  startServerProcess,
} from '../helpers/server-process.js'
import { type NodeOptions, writeNodeConfig } from './pulsar-config.js'
import { type PulsarVenv, withPython } from './pulsar-venv.js'
import { startLoaded } from './python-program.js'

/** Starts the real Pulsar, as its own `pulsar-serve` does (gunicorn, 1 worker, 4 threads), on a free loopback port. */
export async function startPythonPulsar(venv: PulsarVenv, options: NodeOptions): Promise<ServerProcess> {
  const port = await freePort()
  await writeNodeConfig(options, port)
  return startServerProcess({
    command: join(venv.bin, 'pulsar-serve'),
    args: [join(options.directory, 'server.ini')],
    cwd: options.directory,
    // PULSAR_CONFIG_DIR goes before the directory of server.ini in the Python server's search for app.yml.
    env: { ...withPython(venv, options.env), PULSAR_CONFIG_DIR: options.directory },
    url: `http://127.0.0.1:${port}/`,
    start: forkedServer,
  })
}

/** A Python program of the venv, without loading again what all of them load. */
export function forkedServer({ command, args, cwd, env }: ServerCommand): Promise<ServerChild> {
  return startLoaded({ argv: [command, ...args], cwd, session: true, ...(env ? { env } : {}) })
}
