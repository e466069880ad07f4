import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSystemdNotifier } from '../../src/cli/notify-systemd.js'
import { silentLogger } from '../../src/lib/log.js'
import { freePort } from '../helpers/free-port.js'
import { needs } from '../helpers/needs.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { startServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { writeNodeConfig } from './pulsar-config.js'

const missing = ['systemd-notify', 'python3'].find((name) => spawnSync(name, ['--version']).status !== 0)
const unable = missing && `no ${missing} here; run "npm run peers" as root`

/** A datagram socket as systemd has it; resolves with what was sent to it, a line for each assignment. */
async function listen(socket: string): Promise<() => string> {
  const code = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    data, fds, flags, address = socket.recv_fds(s, 4096, 8)
    # With a descriptor comes the question whether all before it was read: closing it says yes.
    for fd in fds: __import__("os").close(fd)
    print(data.decode(), flush=True)
`
  const listener = spawn('python3', ['-c', code, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    listener.kill('SIGKILL')
    if (listener.exitCode === null && listener.signalCode === null) await once(listener, 'exit')
  })
  let text = ''
  listener.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  await waitFor(() => text.includes('bound\n'), { what: 'socket' })
  return () => text
}

describe('magnetar serve under systemd', needs(unable), () => {
  it('says when it is ready and when it stops, and keeps the socket from its jobs', async () => {
    const directory = await tempDirectory()
    const socket = join(directory, 'notify')
    const messages = await listen(socket)
    const port = await freePort()
    await writeNodeConfig({ directory }, port)
    const server = await startServerProcess({
      command: process.execPath,
      args: [resolve('bin', 'magnetar.js'), 'serve', '--config', directory],
      cwd: directory,
      env: { NOTIFY_SOCKET: socket },
      url: `http://127.0.0.1:${port}/`,
    })
    await waitFor(() => /^READY=1$/m.test(messages()), { what: 'READY=1' })
    expect(messages()).toMatch(new RegExp(`^STATUS=ready: http://127.0.0.1:${port}/$`, 'm'))
    expect(messages()).not.toContain('STOPPING')

    const client = createPulsarClient(server.url)
    const job = await client.setup('j')
    await client.submit('j', `env > '${job.outputs_directory}/env'`)
    await client.untilDone('j')
    expect(readFileSync(`${job.outputs_directory}/env`, 'utf8')).not.toContain('NOTIFY_SOCKET')

    expect(await server.stop()).toBe(0)
    await waitFor(() => /^STOPPING=1$/m.test(messages()), { what: 'STOPPING=1' })
    expect(server.logs()).not.toContain('systemd could not be told')
  })

  it('serves all the same when nobody listens', async () => {
    const directory = await tempDirectory()
    const port = await freePort()
    await writeNodeConfig({ directory }, port)
    const server = await startServerProcess({
      command: process.execPath,
      args: [resolve('bin', 'magnetar.js'), 'serve', '--config', directory],
      cwd: directory,
      env: { NOTIFY_SOCKET: join(directory, 'none') },
      url: `http://127.0.0.1:${port}/`,
    })
    await waitFor(() => server.logs().includes('systemd could not be told'), { what: 'warning' })
    expect((await fetch(`${server.url}healthz`)).status).toBe(200)
    expect(await server.stop()).toBe(0)
  })
})

describe('the notifier', () => {
  it('does nothing without systemd', async () => {
    const env = { PATH: '/nonexistent' }
    const lines: string[] = []
    const notifier = createSystemdNotifier(env, {
      ...silentLogger,
      warn: (line: unknown) => lines.push(String(line)),
    })
    await notifier.ready('x')
    await notifier.stopping()
    expect(lines).toEqual([])
    expect(existsSync('/nonexistent')).toBe(false)
  })

  it('warns where there is no systemd-notify', async () => {
    const env: NodeJS.ProcessEnv = { PATH: '/nonexistent', NOTIFY_SOCKET: '/nonexistent' }
    const lines: string[] = []
    const notifier = createSystemdNotifier(env, {
      ...silentLogger,
      warn: (line: unknown) => lines.push(String(line)),
    })
    expect(env.NOTIFY_SOCKET).toBeUndefined()
    await notifier.ready('x')
    expect(lines).toEqual([expect.stringContaining('systemd-notify')])
  })
})
