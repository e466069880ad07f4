import { spawn } from 'node:child_process'
import { chownSync, existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.js'
import { createPulsarClient, type PulsarClient } from '../helpers/pulsar-client.js'
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { writeNodeConfig } from '../peers/pulsar-config.js'

const NOBODY = 65534

/** As somebody whom closed directories keep out: root goes through. */
async function startUnprivileged(directory: string): Promise<ServerProcess> {
  const port = await freePort()
  const managers = { _default_: { type: 'queued_python', num_concurrent_jobs: 4 } }
  await writeNodeConfig({ directory, app: { managers } }, port)
  const args = [path.resolve('bin', 'magnetar.js'), 'serve', '--config', directory]
  const more = ['--host', '127.0.0.1', '--port', String(port)]
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  return startServerProcess({
    command: process.execPath,
    args: [...args, ...more],
    cwd: directory,
    url: `http://127.0.0.1:${port}/`,
    start: async (options) =>
      spawn(options.command, options.args, {
        cwd: options.cwd,
        env: { ...process.env, HOME: directory },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
        ...identity,
      }),
  })
}

async function submit(client: PulsarClient, id: string, command: string): Promise<void> {
  await client.setup(id)
  await client.submit(id, command)
}

const untilRuns = (client: PulsarClient, id: string): Promise<unknown> =>
  waitFor(async () => (await client.status(id)).status === 'running', { what: `run of job ${id}` })

it('jobs that close their own directories keep neither the server from starting nor others from ending', async () => {
  const directory = await tempDirectory()
  if (process.getuid?.() === 0) chownSync(directory, NOBODY, NOBODY)
  const staging = path.join(directory, 'staging')
  const untilReleased = `until [ -e '${directory}/release' ] || [ ! -d '${directory}' ]; do sleep 0.05; done`
  let server = await startUnprivileged(directory)
  let client = createPulsarClient(server.url)

  await submit(client, 'parts', 'echo made > ../outputs/made; chmod 000 ../outputs ../metadata')
  const parts = await client.untilDone('parts')
  expect(parts).toMatchObject({ status: 'complete', returncode: 0, outputs_directory_contents: ['made'] })

  await submit(client, 'over', 'chmod 000 ..')
  expect((await client.untilDone('over')).complete).toBe('true')

  await submit(client, 'closed', `chmod 000 ..; ${untilReleased}`)
  await submit(client, 'open', untilReleased)
  await untilRuns(client, 'closed')
  await untilRuns(client, 'open')
  await server.kill9()
  server = await startUnprivileged(directory)
  client = createPulsarClient(server.url)
  await untilRuns(client, 'closed')
  await untilRuns(client, 'open')
  expect(await server.stop()).toBe(0)
  server = await startUnprivileged(directory)
  client = createPulsarClient(server.url)
  await untilRuns(client, 'open')
  writeFileSync(path.join(directory, 'release'), '')
  for (const id of ['closed', 'open'])
    expect(await client.untilDone(id)).toMatchObject({ status: 'complete', returncode: 0 })

  for (const id of ['parts', 'over', 'closed', 'open']) {
    await client.clean(id)
    await waitFor(() => !existsSync(path.join(staging, id)), { what: `removal of job ${id}` })
  }
})
