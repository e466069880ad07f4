import { createServer } from 'node:net'
import { errnoOf } from '../../lib/errors.js'

const TRIES = 200
const TIMEOUT_MS = 5000

/** Whether nothing listens on the TCP port of this address. A port that only root may use counts as free. */
export function isPortFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    // A host name that a dead name server is asked for.
    const timer = setTimeout(() => resolve(true), TIMEOUT_MS)
    const answer = (free: boolean): void => {
      clearTimeout(timer)
      resolve(free)
    }
    server.once('error', (error) => answer(errnoOf(error) !== 'EADDRINUSE'))
    // The server takes localhost for 127.0.0.1, whatever a name server says.
    const address = host === 'localhost' ? '127.0.0.1' : host
    server.listen({ port, host: address, exclusive: true }, () => server.close(() => answer(true)))
  })
}

/** The first free TCP port from `from` upwards; `from` itself when there is none among the next 200. */
export async function nextFreePort(host: string, from: number): Promise<number> {
  const last = Math.min(from + TRIES, 65535)
  for (let port = from; port <= last; port++) {
    if (await isPortFree(host, port)) return port
  }
  return from
}
