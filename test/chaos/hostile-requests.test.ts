import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { expect, it } from 'vitest'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'
import { runHostileRequests } from './hostile-requests.js'

const FOR_MS = 15_000
const TOKEN = 'token-of-the-test'
const SECRET = 'SECRET-of-another'

async function startTarget(): Promise<{ server: ServerProcess; directory: string; outside: string }> {
  const directory = await tempDirectory()
  const outside = path.join(directory, 'staging', 'outside')
  mkdirSync(outside, { recursive: true })
  for (const file of [path.join(outside, 'x'), path.join(directory, 'outside')]) writeFileSync(file, SECRET)
  const app = {
    private_token: TOKEN,
    managers: { _default_: { type: 'unqueued' } },
    file_cache_dir: path.join(directory, 'cache'),
  }
  const server = await startMagnetar({ directory, app })
  return { server, directory, outside }
}

it('every request is answered as HTTP or its connection closed, whatever is in it, and nothing outside a job is told or changed', async () => {
  const { server, directory, outside } = await startTarget()
  await fetch(`${server.url}jobs?private_token=${TOKEN}&job_id=7`, { method: 'POST' })
  symlinkSync(outside, path.join(directory, 'staging', '7', 'inputs', 'link'))
  symlinkSync(outside, path.join(directory, 'staging', '7', 'outputs', 'link'))
  const seed = Number(process.env.MAGNETAR_CHAOS_SEED ?? 8)
  const { counts, violations } = await runHostileRequests(
    {
      port: Number(new URL(server.url).port),
      pid: server.pid,
      token: TOKEN,
      secret: SECRET,
      logs: server.logs,
    },
    seed,
    performance.now() + FOR_MS,
    new AbortController().signal,
  )
  expect(violations).toEqual([])
  expect(counts.requests).toBeGreaterThan(100)
  expect(counts.answers).toBeGreaterThan(50)
  expect(readdirSync(outside)).toEqual(['x'])
  expect(readFileSync(path.join(outside, 'x'), 'utf8')).toBe(SECRET)
  expect(await server.stop()).toBe(0)
})

it('with many connections that say little or nothing an honest client is answered, and afterwards all is as before', async () => {
  const { server } = await startTarget()
  const descriptors = (): number => readdirSync(`/proc/${server.pid}/fd`).length
  const before = descriptors()
  const slowest = { ms: 0 }
  const port = Number(new URL(server.url).port)
  const sockets: Socket[] = []
  // The server takes 4096 at most, and makes room by itself.
  const soft = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1])
  const wanted = Math.min(Number(process.env.MAGNETAR_CHAOS_CONNECTIONS ?? 500), Math.floor(soft * 0.8))
  try {
    for (let opened = 0; opened < wanted; opened += 500) {
      const batch = Array.from({ length: Math.min(500, wanted - opened) }, () => openQuietly(port))
      sockets.push(...(await Promise.all(batch)))
      const askedMs = performance.now()
      const answer = await fetch(`${server.url}healthz?private_token=${TOKEN}`, {
        headers: { connection: 'close' },
      })
      expect(await answer.json()).toMatchObject({ version: '0.16.0' })
      slowest.ms = Math.max(slowest.ms, performance.now() - askedMs)
    }
    const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
    const rss = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
    if (process.env.MAGNETAR_CHAOS_CONNECTIONS)
      console.log(
        `${sockets.length} connections, ${descriptors()} descriptors, ${Math.round(rss / 1024)} MiB, slowest honest answer ${Math.round(slowest.ms)} ms`,
      )
    expect(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])).toBeLessThan(1024 * 1024)
    expect(readdirSync(`/proc/${server.pid}/fd`).length).toBeLessThan(4096 + 200)
  } finally {
    for (const timer of drips) clearInterval(timer)
    for (const socket of sockets) socket.destroy()
  }
  await waitFor(() => descriptors() <= before + 20, { what: 'end of the connections', timeoutMs: 30_000 })
  const after = await fetch(`${server.url}jobs?private_token=${TOKEN}&job_id=after`, { method: 'POST' })
  expect(await after.json()).toMatchObject({ job_id: 'after' })
})

let opened = 0
const drips: NodeJS.Timeout[] = []

/** A third says nothing, a third has begun a request, a third goes on with one a byte at a time; none ever ends it. */
function openQuietly(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => resolve(socket))
    socket.on('connect', () => {
      const kind = opened++ % 3
      if (kind > 0) socket.write('POST /jobs/7/submit?command_line=')
      if (kind > 1) drips.push(setInterval(() => socket.write('x'), 1000))
      resolve(socket)
    })
  })
}
