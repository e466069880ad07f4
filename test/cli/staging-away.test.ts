import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../helpers/free-port.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'
import { writeNodeConfig } from '../peers/pulsar-config.js'

let directory: string
const staging = (): string => path.join(directory, 'staging')
const release = (): string => path.join(directory, 'release')

/** A node with a job that runs, killed; then it is started before the file system of its jobs is mounted. */
beforeEach(async () => {
  directory = await tempDirectory()
  const server = await startMagnetar({ directory })
  const client = createPulsarClient(server.url)
  const { outputs_directory: outputs } = await client.setup('j')
  // It ends with the test, too.
  const wait = `until [ -e '${release()}' ] || [ ! -d '${directory}' ]; do sleep 0.05; done`
  await client.submit('j', `${wait}; echo done > '${outputs}/out'`)
  await waitFor(async () => (await client.status('j')).status === 'running', { what: 'running job' })
  await server.kill9()
  renameSync(staging(), `${staging()}.away`)
  mkdirSync(staging())
})

interface Waiting {
  readonly server: ChildProcess
  readonly url: string
  logs(): string
}

async function startWaiting(): Promise<Waiting> {
  const port = await freePort()
  await writeNodeConfig({ directory }, port)
  const launcher = path.resolve('bin', 'magnetar.js')
  const args = [launcher, 'serve', '--config', directory, '--host', '127.0.0.1', '--port', String(port)]
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void server.kill('SIGKILL'))
  let logs = ''
  for (const stream of [server.stdout, server.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      logs += text
    })
  await waitFor(() => logs.includes('waiting until it is') || server.exitCode !== null, {
    what: 'word of the wait',
    timeoutMs: 60_000,
  })
  return { server, url: `http://127.0.0.1:${port}/`, logs: () => logs }
}

it('a server whose staging directory is not mounted yet says so and waits, and loses no job', async () => {
  const { url, logs } = await startWaiting()
  expect(logs()).toContain('has one unfinished job')
  await expect(fetch(`${url}healthz`)).rejects.toThrow()
  rmdirSync(staging())
  renameSync(`${staging()}.away`, staging())
  await waitFor(() => logs().includes('ready: '), { what: 'start', timeoutMs: 60_000 })
  const client = createPulsarClient(url)
  await waitFor(async () => (await client.status('j')).status === 'running', { what: 'running job' })
  writeFileSync(release(), '')
  expect(await client.untilDone('j')).toMatchObject({ status: 'complete', returncode: 0 })
})

it('stops when it is told to while it waits', async () => {
  const { server, logs } = await startWaiting()
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([0, null])
  expect(logs()).not.toMatch(/ at .*\.js:/)
  expect(existsSync(path.join(staging(), '.magnetar'))).toBe(false)
  writeFileSync(release(), '')
})

it('gives the jobs up when it is told to', async () => {
  const { url, logs } = await startWaiting()
  const [, given] = /give these jobs up: mkdir ([^\s"]+)/.exec(logs()) ?? []
  mkdirSync(String(given))
  await waitFor(() => logs().includes('ready: '), { what: 'start', timeoutMs: 60_000 })
  expect((await createPulsarClient(url).untilDone('j')).status).toBe('lost')
  writeFileSync(release(), '')
})
