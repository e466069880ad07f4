import { EventEmitter } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePort } from './free-port.js'
import { runCommand } from './run-command.js'
import { startServerProcess } from './server-process.js'
import { tempDirectory } from './temp-directory.js'
import { waitFor, waitForEvent } from './wait-for.js'

const server = `
const { createServer } = require('node:http')
process.on('SIGTERM', () => process.exit(3))
createServer((_request, answer) => answer.writeHead(401).end()).listen(process.argv[1], '127.0.0.1', () => console.log('ready'))
`

async function startNode(script: string) {
  const port = await freePort()
  return startServerProcess({
    command: process.execPath,
    args: ['-e', script, String(port)],
    cwd: await tempDirectory(),
    url: `http://127.0.0.1:${port}/`,
  })
}

describe('startServerProcess', () => {
  it('waits for any answer, keeps what the server writes, and stops it with SIGTERM', async () => {
    const started = await startNode(server)
    // What it wrote comes through a pipe, perhaps after its first answer.
    await waitFor(() => started.logs() === 'ready\n', { what: 'words of the server' })
    expect(await started.stop()).toBe(3)
    expect(await started.stop()).toBe(3)
  })

  it('fails with what the server wrote when it ends at once', async () => {
    await expect(startNode("console.log('no config'); process.exit(78)")).rejects.toThrow(
      /it ended with 78 before it answered\nno config/,
    )
  })

  it('kills without a chance to clean up', async () => {
    const started = await startNode(server)
    await started.kill9()
    await expect(fetch(started.url)).rejects.toThrow()
    expect(await started.stop()).toBe(null)
  })
})

describe('waitFor and waitForEvent', () => {
  it('return what they waited for', async () => {
    let calls = 0
    expect(await waitFor(() => ++calls === 3 && 'third', { what: 'third call' })).toBe('third')
    const emitter = new EventEmitter()
    const event = waitForEvent(emitter, 'done', { what: 'done' })
    emitter.emit('done', 7)
    expect(await event).toEqual([7])
  })

  it('say what never came', async () => {
    const options = { what: 'spring', timeoutMs: 20 }
    await expect(waitFor(() => false, options)).rejects.toThrow('no spring within 20 ms')
    await expect(waitForEvent(new EventEmitter(), 'done', options)).rejects.toThrow('no spring within 20 ms')
  })
})

describe('freePort', () => {
  it('gives a port on which nobody listens', async () => {
    const socket = connect(await freePort(), '127.0.0.1')
    const [error] = await waitForEvent(socket, 'error', { what: 'refused connection' })
    expect(error).toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('runCommand', () => {
  it('reports exit codes, output, and commands that do not exist', async () => {
    const both = await runCommand('sh', ['-c', 'echo out; echo err >&2; exit 5'])
    expect(both.exitCode).toBe(5)
    expect(both.output.split('\n').sort()).toEqual(['', 'err', 'out'])
    expect((await runCommand('magnetar-no-such-command', [])).exitCode).toBe(127)
  })
})
