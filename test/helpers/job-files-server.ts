import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { type Content, contentOf } from './job-files/content.js'
import { createHeap, type Heap, receiveBody, receiveFields, receiveForm } from './job-files/receive.js'
import { type Exchange, reply, sendFile } from './job-files/send.js'
import { handleTus, TUS_PATH, type TusSession } from './job-files/tus.js'
import type { Fault, RequestRecord, ServedFile, StoredFile } from './job-files/types.js'

/** Galaxy's endpoint for the files of one job (reference: GET, HEAD, POST, tus), which logs each request and fails when it is told to. */
export interface JobFilesServer {
  /** "http://127.0.0.1:1234" */
  readonly origin: string
  /** With the key, without path and type: what Galaxy calls files_endpoint. */
  readonly endpoint: string
  readonly key: string
  readonly log: readonly RequestRecord[]
  /** By their paths at Galaxy. */
  readonly uploads: ReadonlyMap<string, StoredFile>
  /**
   * 'request' (record) when its headers are there, 'over' (record) when it is answered or its connection gone, 'stored' (path) when
   * an upload is kept and not yet confirmed.
   */
  readonly events: EventEmitter
  /** Open connections. */
  readonly connections: ReadonlySet<Socket>
  fileUrl(path: string, fileType?: string): string
  /** Offers a file; again: a changed one. */
  serve(path: string, content: Content | string | Buffer, options?: Partial<ServedFile>): void
  /** What goes wrong with the coming requests, one after the other; after that, what the plan says. */
  failNext(...faults: readonly (Fault | undefined)[]): void
  plan: (record: RequestRecord) => Fault | undefined
  /** Forgets files and uploads below a path. */
  forget(path: string): void
  /** Forgets all resumable uploads. */
  forgetSessions(): void
  /** Forgets what has come of all resumable uploads. */
  forgetPieces(): void
  close(): Promise<void>
}

export interface JobFilesOptions {
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Keep-alive of idle connections, milliseconds. */
  readonly keepAliveMs?: number
  readonly port?: number
}

const KEY = 'k3y-0f-th3-j0b'
/** What comes for these is added to what is there: the streams of a running job. */
const LIVE = /\/outputs\/tool_std(out|err)$/
const FILES_PATH = '/api/jobs/adb5f5c93f827949/files'

/** Listens on 127.0.0.1; closed when the test that asked for it has finished. */
export async function startJobFilesServer(options: JobFilesOptions = {}): Promise<JobFilesServer> {
  const log: RequestRecord[] = []
  const files = new Map<string, ServedFile>()
  const uploads = new Map<string, StoredFile>()
  const sessions = new Map<string, TusSession>()
  const connections = new Set<Socket>()
  const serials = new WeakMap<Socket, number>()
  const faults: (Fault | undefined)[] = []
  const events = new EventEmitter()
  let connected = 0

  const server = options.tls ? https.createServer(options.tls) : http.createServer()
  server.keepAliveTimeout = options.keepAliveMs ?? 60_000
  server.requestTimeout = 0
  server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections.add(socket)
    serials.set(socket, connected++)
    socket.on('error', () => {})
    socket.on('close', () => connections.delete(socket))
  })
  server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://x')
    const record: RequestRecord = {
      serial: log.length,
      method: request.method ?? '',
      target: request.url ?? '',
      path: url.searchParams.get('path') ?? undefined,
      headers: request.headers as Record<string, string | undefined>,
      range: request.headers.range,
      connection: serials.get(request.socket) ?? -1,
      clientPort: request.socket.remotePort ?? 0,
      status: 0,
      sentBytes: 0,
      receivedBytes: 0,
      fault: undefined,
      isOver: false,
    }
    log.push(record)
    record.fault = faults.length > 0 ? faults.shift() : self.plan(record)
    request.on('error', () => {})
    response.on('error', () => {})
    response.once('close', () => {
      record.isOver = true
      events.emit('over', record)
    })
    events.emit('request', record)
    void answer({ request, response, record, fault: record.fault }, url)
  })

  async function answer(exchange: Exchange, url: URL): Promise<void> {
    const { request, fault } = exchange
    if (await failAtOnce(exchange)) return
    if (url.searchParams.get('job_key') !== KEY) return reply(exchange, 403, {}, 'job_key is wrong')
    const path = url.searchParams.get('path') ?? ''
    if (url.pathname.startsWith(TUS_PATH)) return handleTus(exchange, url, sessions)
    if (url.pathname !== FILES_PATH) return reply(exchange, 404, {}, 'no such route')
    if (request.method === 'GET' || request.method === 'HEAD') {
      const file = files.get(path)
      return file ? sendFile(exchange, file) : reply(exchange, 404, {}, 'no such file')
    }
    if (request.method !== 'POST') return reply(exchange, 405)
    const problem = await store(exchange, path, url.searchParams.get('file_type') ?? undefined)
    if (problem === undefined) return
    if (problem !== '') return reply(exchange, 400, {}, problem)
    if (fault?.kind === 'swallow answer') return void request.socket.destroy()
    reply(exchange, 200, { 'content-type': 'application/json' }, '{"message":"ok"}')
  }

  /** @returns what is wrong; '': nothing; undefined: nobody is there to be told */
  async function store(
    exchange: Exchange,
    path: string,
    fileType: string | undefined,
  ): Promise<string | undefined> {
    if (exchange.request.headers['content-type'] === 'application/x-www-form-urlencoded') {
      const id = (await receiveFields(exchange))?.get('session_id')
      const session = sessions.get(id ?? '')
      if (id === undefined || id === null) return undefined
      if (!session || session.heap.bytes !== session.length) return 'no such session, or it is not complete'
      sessions.delete(id)
      keep(path, fileType, session.heap, undefined)
      return ''
    }
    const heap = createHeap()
    const form = await receiveForm(exchange, heap)
    if (form === undefined || typeof form === 'string') return form
    keep(path, fileType, heap, form)
    return ''
  }

  function keep(
    path: string,
    fileType: string | undefined,
    { bytes, hash, kept }: Heap,
    form: { readonly fileName: string; readonly contentType: string | undefined } | undefined,
  ): void {
    const before = LIVE.test(path) ? uploads.get(path)?.content : undefined
    const content = kept && Buffer.concat(before ? [before, ...kept] : kept)
    uploads.set(path, {
      bytes: bytes + (before?.length ?? 0),
      sha256: before && content ? createHash('sha256').update(content).digest('hex') : hash.digest('hex'),
      fileName: form?.fileName,
      contentType: form?.contentType,
      content,
      fileType,
      times: (uploads.get(path)?.times ?? 0) + 1,
    })
    events.emit('stored', path)
  }

  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const origin = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const endpoint = `${origin}${FILES_PATH}?job_key=${KEY}`

  const self: JobFilesServer = {
    origin,
    endpoint,
    key: KEY,
    log,
    uploads,
    events,
    connections,
    plan: () => undefined,
    fileUrl: (path, fileType = 'input') =>
      `${endpoint}&path=${encodeURIComponent(path)}&file_type=${fileType}`,
    serve(path, content, served = {}) {
      const version = (files.get(path)?.version ?? 0) + 1
      const data = typeof content === 'string' || Buffer.isBuffer(content) ? contentOf(content) : content
      files.set(path, { validators: 'strong', framing: 'length', version, ...served, content: data })
    },
    failNext: (...coming) => void faults.push(...coming),
    forget(path) {
      for (const map of [files, uploads])
        for (const each of [...map.keys()]) if (each.startsWith(`${path}/`)) map.delete(each)
    },
    forgetSessions: () => sessions.clear(),
    forgetPieces() {
      for (const [id, { length }] of sessions) sessions.set(id, { length, heap: createHeap() })
    },
    async close() {
      server.closeAllConnections()
      for (const socket of connections) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  try {
    onTestFinished(() => self.close())
  } catch {
    // Started outside a test: whoever did closes it.
  }
  return self
}

/** The faults that do not depend on what was asked for. */
async function failAtOnce(exchange: Exchange): Promise<boolean> {
  const { request, response, record, fault } = exchange
  switch (fault?.kind) {
    case 'status':
      if (fault.late) await receiveBody({ ...exchange, fault: undefined }, () => {})
      reply(exchange, fault.status, fault.headers, fault.body)
      return true
    case 'redirect':
      reply(exchange, fault.status, { location: fault.to }, 'elsewhere')
      return true
    case 'garbage':
      response.socket?.end('\x00\x01 this is no HTTP at all\r\n\r\n')
      return true
    case 'hang':
      return fault.after < 0
    case 'cut':
    case 'reset':
      if (fault.after >= 0) return false
      if (fault.kind === 'cut') request.socket.destroy()
      else request.socket.resetAndDestroy()
      return true
    case 'lie':
      record.status = 200
      response.writeHead(200, { 'content-length': 2 }).end('ok')
      return true
    default:
      return false
  }
}
