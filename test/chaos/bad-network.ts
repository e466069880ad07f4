import net, { type AddressInfo, type Socket } from 'node:net'

/** What goes wrong with one connection: after so many bytes of one direction. `up` is from whoever connects to whoever listens. */
export interface NetworkFault {
  readonly kind:
    | 'latency'
    | 'stall'
    | 'reset'
    | 'cut'
    | 'black hole'
    | 'half-open for the server'
    | 'half-open for the client'
    | 'slow close'
  readonly direction: 'up' | 'down'
  readonly after: number
  readonly ms: number
}

export const NETWORK_FAULTS: readonly NetworkFault['kind'][] = [
  'latency',
  'stall',
  'reset',
  'cut',
  'black hole',
  'half-open for the server',
  'half-open for the client',
  'slow close',
]

/** A proxy for TCP on 127.0.0.1 that does to each connection what its plan says. */
export interface BadNetwork {
  readonly origin: string
  plan: () => NetworkFault | undefined
  /** Whether the request that begins so is passed on, and its answer lost. */
  losesAnswer: (head: string) => boolean
  /** Faults that were met, by kind. */
  readonly met: Record<string, number>
  /** Connections of either side that are open. */
  readonly open: number
  /** Nobody listens for so long; connections that are there are reset. */
  refuse(ms: number): Promise<void>
  /** Ends what it kept open on purpose, and all else. */
  drop(): void
  close(): Promise<void>
}

/** @param target port on 127.0.0.1 */
export async function startBadNetwork(target: number): Promise<BadNetwork> {
  const sockets = new Set<Socket>()
  const met: Record<string, number> = {}
  let server = net.createServer()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    return socket.setNoDelay(true)
  }

  function accept(client: Socket): void {
    const fault = network.plan()
    const onward = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    keep(client)
    keep(onward)
    let isBroken = false
    const break_ = (): void => {
      if (isBroken || !fault) return
      isBroken = true
      met[fault.kind] = (met[fault.kind] ?? 0) + 1
      apply(fault, client, onward)
    }
    client.on('data', (chunk: Buffer) => {
      if (isBroken || !network.losesAnswer(chunk.toString('latin1', 0, 300))) return
      // Before it is passed on.
      onward.prependOnceListener('data', () => {
        met['answer lost'] = (met['answer lost'] ?? 0) + 1
        client.resetAndDestroy()
      })
    })
    carry(client, onward, fault?.direction === 'up' ? fault : undefined, break_)
    carry(onward, client, fault?.direction === 'down' ? fault : undefined, break_)
    const over = (socket: Socket, other: Socket) => () => {
      if (isBroken && fault && isSilent(fault.kind)) return
      const slowly = fault?.kind === 'slow close'
      if (slowly && !isBroken) break_()
      setTimeout(() => (socket.errored ? other.resetAndDestroy() : other.destroy()), slowly ? fault.ms : 0)
    }
    client.on('close', over(client, onward))
    onward.on('close', over(onward, client))
  }

  async function listen(port: number): Promise<void> {
    server = net.createServer({ allowHalfOpen: true }, accept)
    for (let tries = 0; ; tries++) {
      try {
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject).listen(port, '127.0.0.1', resolve)
        })
        return
      } catch (error) {
        // Somebody else got it for a moment.
        if (tries === 100) throw error
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }
  const stop = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

  const network: BadNetwork = {
    origin: '',
    plan: () => undefined,
    losesAnswer: () => false,
    met,
    get open() {
      return sockets.size
    },
    async refuse(ms) {
      const stopped = stop()
      for (const socket of sockets) socket.resetAndDestroy()
      await stopped
      met.refused = (met.refused ?? 0) + 1
      await new Promise((resolve) => setTimeout(resolve, ms))
      await listen(port)
    },
    drop() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    async close() {
      const stopped = stop()
      network.drop()
      await stopped
    },
  }
  await listen(0)
  const { port } = server.address() as AddressInfo
  return Object.assign(network, { origin: `http://127.0.0.1:${port}` })
}

function isSilent(kind: NetworkFault['kind']): boolean {
  return kind === 'black hole' || kind.startsWith('half-open')
}

/** Passes on what comes, until the fault's byte; `broken` is called then. */
function carry(from: Socket, to: Socket, fault: NetworkFault | undefined, broken: () => void): void {
  let passed = 0
  let isOver = false
  let hasStalled = false
  from.on('data', (chunk: Buffer) => {
    if (isOver) return
    const room = fault ? fault.after - passed : Number.POSITIVE_INFINITY
    passed += chunk.length
    const isThrough = fault?.kind === 'stall' && hasStalled
    if (!fault || isThrough || chunk.length <= room || fault.kind === 'slow close')
      return pass(from, to, chunk)
    if (room > 0) to.write(chunk.subarray(0, room))
    broken()
    const rest = chunk.subarray(Math.max(0, room))
    if (fault.kind === 'latency' || fault.kind === 'stall') {
      hasStalled = true
      from.pause()
      setTimeout(() => {
        if (!to.destroyed) to.write(rest)
        from.resume()
      }, fault.ms)
      return
    }
    isOver = true
  })
  from.on('end', () => {
    if (isOver || to.destroyed) return
    if (fault?.kind !== 'slow close') return void to.end()
    broken()
    setTimeout(() => to.end(), fault.ms)
  })
}

function pass(from: Socket, to: Socket, chunk: Buffer): void {
  if (to.destroyed || to.write(chunk)) return
  from.pause()
  to.once('drain', () => from.resume())
}

function apply({ kind, ms }: NetworkFault, client: Socket, onward: Socket): void {
  if (kind === 'reset') {
    client.resetAndDestroy()
    onward.resetAndDestroy()
  } else if (kind === 'cut') {
    client.destroy()
    onward.destroy()
  } else if (kind === 'black hole') {
    // Nothing passes; at last somebody's router says so, to the one who asked.
    setTimeout(() => client.resetAndDestroy(), ms)
  } else if (kind === 'half-open for the server') {
    // It is never told that its client is gone.
    client.resetAndDestroy()
  } else if (kind === 'half-open for the client') {
    onward.resetAndDestroy()
    setTimeout(() => client.resetAndDestroy(), ms)
  }
}
