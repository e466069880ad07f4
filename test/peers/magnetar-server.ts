import { resolve } from 'node:path'
import { freePort } from '../helpers/free-port.js'
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js'
import { type NodeOptions, writeNodeConfig } from './pulsar-config.js'

/** Starts `magnetar serve` as a process of its own on a free loopback port. */
export async function startMagnetar(options: NodeOptions): Promise<ServerProcess> {
  const port = await freePort()
  await writeNodeConfig(options, port)
  const launcher = resolve('bin', 'magnetar.js')
  return startServerProcess({
    command: process.execPath,
    args: [launcher, 'serve', '--config', options.directory, '--host', '127.0.0.1', '--port', String(port)],
    cwd: options.directory,
    ...(options.env ? { env: options.env } : {}),
    url: `http://127.0.0.1:${port}/`,
  })
}
