import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type RunChecksOptions, runChecks } from '../../src/check/run-checks.js'
import { readTarget } from '../../src/check/target.js'
import { createAuthority, opensslMissing } from '../helpers/certificates.js'
import { freePort } from '../helpers/free-port.js'
import { needs } from '../helpers/needs.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'
import { type Meddler, type Meddlings, startMeddler } from './meddler.js'

// Real jobs, several in some of the tests.
vi.setConfig({ testTimeout: 60_000 })

const TOKEN = 'foo'
const PAGE = '<html><head><title>Welcome to nginx!</title></head><body></body></html>'
const error = (status: number, text: string, code?: string) => ({
  status,
  text: code === undefined ? text : JSON.stringify({ error: text, code }),
})
const always = (status: string, more: object = {}) => ({
  status: 200,
  text: JSON.stringify({ status, complete: 'false', ...more }),
})
const done = { complete: 'true', stdout: '', stderr: '' }

let directory: string
let node: ServerProcess
beforeAll(async () => {
  directory = await tempDirectory()
  const managers = {
    _default_: { type: 'queued_python', num_concurrent_jobs: 4 },
    second: { type: 'unqueued', staging_directory: join(directory, 'second') },
  }
  // Of this machine the node may fetch, but only by its address.
  node = await startMagnetar({
    directory,
    app: { private_token: TOKEN, managers, transfer_hosts: '127.0.0.1' },
  })
})

/** Directories of jobs of ours that the node has. */
const left = (): string[] =>
  readdirSync(join(directory, 'staging')).filter((name) => name.startsWith('magnetar-check'))

async function check(url: string, options: Partial<RunChecksOptions> & { manager?: string } = {}) {
  const { manager, ...rest } = options
  const run = await runChecks({
    target: readTarget(url, manager),
    token: TOKEN,
    limits: { connectMs: 5000, answerMs: 10_000, jobMs: 10_000 },
    pull: undefined,
    signal: new AbortController().signal,
    ...rest,
  })
  const failed = run.results.filter(({ state }) => state === 'failed')
  const of = (name: string) => run.results.find((each) => each.name === name)
  return { ...run, failed, first: failed[0], of }
}

const spoiled = (meddlings: Meddlings): Promise<Meddler> => startMeddler(meddlings, { node: node.url })

describe('the checks of a node that works', () => {
  it('all pass, each with its time, and nothing stays', async () => {
    const started: string[] = []
    const { results, of, ms } = await check(node.url, {
      pull: { host: undefined, port: undefined, url: undefined },
      onStart: (name) => started.push(name),
    })
    expect(results.filter(({ state }) => state !== 'passed')).toEqual([])
    const names = 'reach tls token version clock setup upload run download cancel pull clean'.split(' ')
    expect(results.map(({ name }) => name)).toEqual(names)
    expect([...new Set(started)]).toEqual(names)
    expect(results.reduce((sum, each) => sum + each.ms, 0)).toBeLessThanOrEqual(ms + names.length)
    expect(of('version')?.message).toBe('Pulsar 0.16.0, served by Magnetar')
    expect(of('token')?.message).toBe('accepted, and demanded')
    expect(left()).toEqual([])
  })

  it('go to the manager that is named', async () => {
    const { of, failed } = await check(node.url, { manager: 'second' })
    expect(failed).toEqual([])
    expect(of('setup')?.message).toContain(join(directory, 'second', 'magnetar-check-'))
    expect(of('pull')).toMatchObject({ state: 'left-out', message: 'left out (--no-pull)' })
  })

  it('find the node below a path of a proxy', async () => {
    const proxy = await startMeddler({}, { node: node.url })
    // The proxy passes everything: below a path there is no such route.
    expect((await check(`${proxy.url}pulsar/`)).first).toMatchObject({ name: 'version', kind: 'protocol' })
    expect((await check(proxy.url)).failed).toEqual([])
  })
})

describe('a node that is not reached', () => {
  it('because of its name', async () => {
    const { first, results } = await check('http://no-such-host.invalid:8913')
    expect(first).toMatchObject({
      name: 'reach',
      kind: 'reach',
      fix: expect.stringContaining('getent hosts'),
    })
    expect(results.filter(({ state }) => state === 'not-tried')).toHaveLength(11)
  })

  it('because nothing listens', async () => {
    const { first } = await check(`http://127.0.0.1:${await freePort()}`)
    expect(first).toMatchObject({ kind: 'reach', message: expect.stringContaining('nothing listens on') })
    expect(first?.fix).toContain('ss -ltn')
  })

  it.each<[string, Meddlings, RegExp]>([
    ['hangs', { 'GET /healthz': 'hang' }, /takes connections, but gave no answer in 1 s/],
    ['cuts connections', { 'GET /healthz': 'reset' }, /cut the connection without an answer/],
    [
      'is behind a proxy',
      { 'GET /healthz': error(502, '<title>502 Bad Gateway</title>') },
      /proxy .*502 Bad Gateway/i,
    ],
  ])('because it %s', async (_what, meddlings, message) => {
    const { url } = await spoiled(meddlings)
    const limits = { connectMs: 1000, answerMs: 1000, jobMs: 1000 }
    const { first } = await check(url, { limits })
    expect(first).toMatchObject({ kind: 'reach', message: expect.stringMatching(message) })
  })
})

describe('what answers and is no Pulsar', () => {
  it.each<[string, Meddlings, RegExp]>([
    ['a page', { 'GET /healthz': { status: 200, text: PAGE } }, /no Pulsar: .*Welcome to nginx/],
    ['nothing', { 'GET /healthz': { status: 200 } }, /answered with nothing/],
    ['other JSON', { 'GET /healthz': { status: 200, text: '{"up":true}' } }, /no Pulsar/],
    ['404 to everything', {}, /no Pulsar: an empty answer \(status 404\)/],
    [
      'a redirect',
      { 'GET /healthz': { status: 301, headers: { location: 'https://elsewhere.example.org/healthz' } } },
      /redirected to https:\/\/elsewhere.example.org\//,
    ],
  ])('answers with %s', async (_what, meddlings, message) => {
    const { url } = await startMeddler(meddlings)
    const { first, of } = await check(url)
    expect(first).toMatchObject({
      name: 'version',
      kind: 'protocol',
      message: expect.stringMatching(message),
    })
    // Nothing is said about a token that nobody looked at.
    expect(of('token')?.state).toBe('not-tried')
  })

  it('a Pulsar that is too old for healthz is known by its status', async () => {
    const { url } = await startMeddler({
      'GET /healthz': error(404, '<title>404 Not Found</title>'),
      'GET /jobs/{job}/status': always('lost', { ...done, pulsar_version: '0.13.0' }),
      'POST /jobs': error(500, 'no'),
    })
    expect((await check(url)).of('version')?.message).toBe('Pulsar 0.13.0')
  })

  it('a manager that it does not have', async () => {
    const { first } = await check(node.url, { manager: 'third' })
    expect(first).toMatchObject({ kind: 'protocol', message: 'the node has no manager third' })
  })
})

describe('the token', () => {
  it.each([
    ['wrong', 'bar', /not the one of the node/],
    ['missing', undefined, /asks for a token, and none was given/],
  ])('is %s', async (_what, token, message) => {
    const { first, results } = await check(node.url, { token })
    expect(first).toMatchObject({ name: 'token', kind: 'token', message: expect.stringMatching(message) })
    expect(JSON.stringify(results)).not.toContain('bar')
  })

  it('is not what a proxy asks for', async () => {
    const headers = { 'www-authenticate': 'Basic realm="office"' }
    const { url } = await spoiled({ 'GET /healthz': { status: 401, headers } })
    expect((await check(url)).first).toMatchObject({
      kind: 'token',
      message: expect.stringContaining('asks for a login'),
    })
  })

  it('that nobody asks for is a warning', async () => {
    const { url } = await startMeddler({
      'GET /healthz': { status: 200, text: '{"version":"0.16.0"}' },
      'POST /jobs': error(500, 'no'),
    })
    const { of } = await check(url)
    expect(of('token')).toMatchObject({ state: 'warned', why: expect.stringContaining('can run commands') })
    expect((await check(url, { token: undefined })).of('token')).toMatchObject({ state: 'passed' })
  })
})

describe('the clock of a node', () => {
  const at = (seconds: number): Meddlings => ({
    'GET /healthz': (body, headers) => {
      headers.date = new Date(Date.now() + seconds * 1000).toUTCString()
      return body
    },
    'POST /jobs': error(507, 'no room', 'DISK_FULL'),
  })
  it.each([
    [600, 'failed', /10 minutes ahead of/],
    [-100, 'warned', /\d+ s behind/],
    [0, 'passed', /as here/],
  ])('that is %i s off has %s', async (seconds, state, message) => {
    const { url } = await spoiled(at(seconds))
    expect((await check(url)).of('clock')).toMatchObject({ state, message: expect.stringMatching(message) })
  })
})

describe('a node whose jobs do not go through', () => {
  const served = (text: string) => ({ status: 200, text })
  it.each<[string, Meddlings, string, string, RegExp]>([
    [
      'a full disk',
      { 'POST /jobs': error(507, 'no space left', 'DISK_FULL') },
      'setup',
      'files',
      /disk of the node is full/,
    ],
    [
      'staging that cannot be written',
      { 'POST /jobs': error(500, 'internal error', 'INTERNAL') },
      'setup',
      'files',
      /internal error \(status 500\)/,
    ],
    [
      'a Python server with an unusable disk',
      { 'POST /jobs/{job}/files': 'reset' },
      'upload',
      'files',
      /cut off without an answer/,
    ],
    [
      'a proxy that limits bodies',
      { 'POST /jobs/{job}/files': error(413, PAGE) },
      'upload',
      'files',
      /too large \(status 413\)/,
    ],
    [
      'a setup that is no answer',
      { 'POST /jobs': served('OK') },
      'setup',
      'protocol',
      /no answer of a Pulsar/,
    ],
    [
      'a proxy that limits request lines',
      { 'POST /jobs/{job}/submit': error(414, PAGE) },
      'run',
      'protocol',
      /request line is too long/,
    ],
    [
      'a job that fails',
      { 'GET /jobs/{job}/status': always('failed', { ...done, stderr: 'one\nsbatch: error: no\n' }) },
      'run',
      'job',
      /ended as failed:\n\| one\n\| sbatch: error: no/,
    ],
    [
      'a job that ends otherwise',
      { 'GET /jobs/{job}/status': always('complete', { ...done, returncode: 127, stderr: 'sh: not found' }) },
      'run',
      'job',
      /return code 127 instead of 4:\n\| sh: not found/,
    ],
    [
      'a job that misses files',
      {
        'GET /jobs/{job}/status': always('complete', {
          ...done,
          returncode: 5,
          stderr: 'the input is not there',
        }),
      },
      'run',
      'job',
      /missed something:\n\| the input is not there/,
    ],
    ['a job that is lost', { 'GET /jobs/{job}/status': always('lost', done) }, 'run', 'job', /lost the job/],
    [
      'a status that is none',
      { 'GET /jobs/{job}/status': served('[]') },
      'run',
      'protocol',
      /no answer of a Pulsar/,
    ],
    [
      'stdout that does not come',
      { 'GET /jobs/{job}/status': (body) => body.toString().replace('Hello from', 'Bye from') },
      'run',
      'job',
      /stdout of the job came back as/,
    ],
    [
      'an upload that is changed',
      {
        'POST /jobs/{job}/submit': served('OK'),
        'GET /jobs/{job}/status': always('complete', { ...done, returncode: 4 }),
      },
      'run',
      'files',
      /download of answer/,
    ],
  ])('%s', async (_what, meddlings, name, kind, message) => {
    const { url, calls } = await spoiled(meddlings)
    const { first, of } = await check(url)
    expect(first).toMatchObject({ name, kind, message: expect.stringMatching(message) })
    expect(first?.fix).toMatch(/\w/)
    expect(of('download')?.state).toBe('not-tried')
    expect(calls).toContain('DELETE /jobs/{job}')
    expect(left()).toEqual([])
  })

  it('a job that stays queued is given up with the reason, and removed', async () => {
    const { url } = await spoiled({ 'GET /jobs/{job}/status': always('queued') })
    const limits = { connectMs: 1000, answerMs: 5000, jobMs: 300 }
    const { first } = await check(url, {
      limits,
      whyQueued: async () => ({ text: 'the partition is busy', hopeless: false }),
    })
    expect(first).toMatchObject({ name: 'run', kind: 'job' })
    expect(first?.message).toMatch(/does not get to run: it is still queued after 0 s: the partition is busy/)
    await waitFor(() => left().length === 0, { what: 'removal of the job' })
  })

  it('data that comes back changed', async () => {
    const spoil = (body: Buffer): Buffer => (body.length > 1_000_000 ? Buffer.alloc(body.length) : body)
    const { url } = await spoiled({ 'GET /jobs/{job}/files': spoil })
    expect((await check(url)).first).toMatchObject({
      name: 'download',
      kind: 'job',
      message: /came back changed/,
    })
  })

  it('a file that is not there and is served all the same', async () => {
    const { url } = await spoiled({
      'GET /jobs/{job}/files': (body, _headers, query) =>
        query.get('name') === 'no-such-file' ? { status: 200, text: PAGE } : body,
    })
    expect((await check(url)).first).toMatchObject({
      name: 'download',
      message: expect.stringMatching(/not there was answered with status 200/),
    })
  })

  it('a job that goes on after its cancel', async () => {
    const limits = { connectMs: 1000, answerMs: 5000, jobMs: 6000 }
    const ignored = await spoiled({ 'PUT /jobs/{job}/cancel': served('OK') })
    const { first } = await check(ignored.url, { limits })
    expect(first).toMatchObject({ name: 'cancel', kind: 'cancel', message: /is still running after 6 s/ })
    await waitFor(() => left().length === 0, { what: 'removal of the jobs' })
  })

  it('a job that is only said to be cancelled', async () => {
    const limits = { connectMs: 1000, answerMs: 5000, jobMs: 6000 }
    let cancels = 0
    const { url } = await spoiled({
      'PUT /jobs/{job}/cancel': served('OK'),
      'GET /jobs/{job}/status': (body) => {
        const { status, ...rest } = JSON.parse(body.toString()) as Record<string, unknown>
        cancels = lying.calls.filter((call) => call === 'PUT /jobs/{job}/cancel').length
        return JSON.stringify(
          cancels > 0 && status === 'running'
            ? { ...rest, status: 'cancelled', complete: 'true' }
            : { status, ...rest },
        )
      },
    })
    const lying = { calls: [] as string[] }
    // A second one before it counts the cancels.
    const counting = await startMeddler({}, { node: url })
    Object.assign(lying, { calls: counting.calls })
    const { first } = await check(counting.url, { limits })
    expect(first).toMatchObject({ name: 'cancel', message: /reported as cancelled, but goes on running/ })
    await waitFor(() => left().length === 0, { what: 'removal of the jobs' })
  })

  it('a job that is not removed', async () => {
    const limits = { connectMs: 1000, answerMs: 5000, jobMs: 6000 }
    const { url } = await spoiled({ 'DELETE /jobs/{job}': served('OK') })
    const { first } = await check(url, { limits })
    expect(first).toMatchObject({
      name: 'clean',
      kind: 'files',
      message: /was not removed: it is still known as/,
    })
    const refused = await spoiled({ 'DELETE /jobs/{job}': error(500, 'no') })
    const run = await check(refused.url, { limits })
    expect(run.first?.name).toBe('clean')
    expect(run.left).toHaveLength(2)
    for (const job of left())
      await fetch(`${node.url}jobs/${job}?private_token=${TOKEN}`, { method: 'DELETE' })
    await waitFor(() => left().length === 0, { what: 'removal of the jobs' })
  })
})

describe('files that the node fetches itself', () => {
  it('are left out when it does not come to the address that was guessed', async () => {
    // Only 127.0.0.1 is allowed there; 127.0.0.2 is this machine too.
    const pull = { host: undefined, port: undefined, url: undefined }
    const { url } = await startMeddler({}, { node: node.url })
    const run = await check(url.replace('127.0.0.1', 'localhost'), { pull })
    expect(run.failed).toEqual([])
    expect(run.of('pull')?.state).toBe('passed')
    const other = await startMagnetar({
      directory: join(directory, 'strict'),
      app: { transfer_hosts: 'galaxy.example.org' },
    })
    const strict = await check(other.url, { pull, token: undefined })
    expect(strict.of('pull')).toMatchObject({
      state: 'left-out',
      fix: expect.stringContaining('--files-host'),
    })
    expect(strict.of('pull')?.message).toMatch(
      /^left out: the node cannot reach this machine at http:\/\/127/,
    )
    expect(strict.failed).toEqual([])
    await other.stop()
  })

  it('are a failure when it was said where, and it does not come', async () => {
    const closed = `http://127.0.0.1:${await freePort()}/`
    const listening = await freePort()
    const { first, results } = await check(node.url, {
      pull: { host: undefined, port: listening, url: closed },
    })
    expect(first).toMatchObject({ name: 'pull', kind: 'pull', message: expect.stringContaining(closed) })
    expect(JSON.stringify(results)).not.toContain('job_key')
  })

  it('come through a tunnel that was named', async () => {
    const port = await freePort()
    const tunnel = await startMeddler({}, { node: `http://127.0.0.1:${port}/` })
    const { failed, of } = await check(node.url, { pull: { host: undefined, port, url: tunnel.url } })
    expect(failed).toEqual([])
    expect(of('pull')?.message).toContain(tunnel.url)
  })

  it('that do not arrive, or arrive changed, are a failure', async () => {
    const port = await freePort()
    const options = { node: `http://127.0.0.1:${port}/` }
    const spoil = { 'GET /api/jobs/{job}/files': (body: Buffer) => Buffer.alloc(body.length) }
    const tunnel = await startMeddler(spoil, options)
    const pull = { host: undefined, port, url: tunnel.url }
    expect((await check(node.url, { pull })).first).toMatchObject({
      name: 'pull',
      message: 'what the node delivered is not what it fetched',
    })
  })
})

describe('TLS', needs(opensslMissing()), () => {
  it.each<[string, string, number, boolean, RegExp]>([
    ['another name', 'DNS:node.example.org', 2, true, /is for node.example.org, not for 127.0.0.1/],
    ['an end that has passed', 'IP:127.0.0.1', -1, true, /has expired/],
    ['an authority that is not known', 'IP:127.0.0.1', 2, false, /signed by A private authority, whom/],
  ])('a certificate with %s', async (_what, names, days, trusted, message) => {
    const authority = createAuthority(await tempDirectory())
    const { url } = await startMeddler({}, { node: node.url, tls: authority.issue(names, days) })
    const authorities = trusted ? [readFileSync(authority.file, 'utf8')] : []
    const { first, results } = await check(url, { authorities })
    expect(first).toMatchObject({ name: 'tls', kind: 'tls', message: expect.stringMatching(message) })
    expect(results.filter(({ state }) => state === 'not-tried')).toHaveLength(10)
  })

  it('for another name: the fix that is named, to call the node by that name, is one', async () => {
    const authority = createAuthority(await tempDirectory())
    const authorities = [readFileSync(authority.file, 'utf8')]
    const { url } = await startMeddler({}, { node: node.url, tls: authority.issue('DNS:localhost', 300) })
    expect((await check(url, { authorities })).first).toMatchObject({
      kind: 'tls',
      message: 'the certificate is for localhost, not for 127.0.0.1',
      fix: 'Call the node by a name of its certificate, or get one for 127.0.0.1.',
    })
    expect((await check(url.replace('127.0.0.1', 'localhost'), { authorities })).failed).toEqual([])
  })

  it('that is right, with a warning before its end; pinned it needs no name', async () => {
    const authority = createAuthority(await tempDirectory())
    const issued = authority.issue('DNS:elsewhere,IP:127.0.0.1', 2)
    const { url } = await startMeddler({}, { node: node.url, tls: issued })
    const good = await check(url, { authorities: [readFileSync(authority.file, 'utf8')] })
    expect(good.failed).toEqual([])
    expect(good.of('tls')).toMatchObject({ state: 'warned', why: expect.stringMatching(/ends in one day/) })
    const { cert } = authority.issue('DNS:elsewhere', 300)
    expect((await check(url, { certificate: cert })).first).toMatchObject({ kind: 'tls' })
    expect((await check(url, { certificate: issued.cert })).failed).toEqual([])
  })

  it('where plain HTTP is spoken, and the reverse', async () => {
    expect((await check(node.url.replace('http:', 'https:'))).first).toMatchObject({
      kind: 'tls',
      message: expect.stringContaining('speaks plain HTTP, not HTTPS'),
      fix: expect.stringContaining('http://127.0.0.1:'),
    })
    const issued = createAuthority(await tempDirectory()).issue('IP:127.0.0.1')
    const { url } = await startMeddler({}, { node: node.url, tls: issued })
    expect((await check(url.replace('https:', 'http:'))).first).toMatchObject({
      kind: 'tls',
      message: 'the port speaks HTTPS, not plain HTTP',
      fix: expect.stringContaining(url),
    })
  })

  it('where the other side says nothing', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    onTestFinished(() => void silent.close())
    await waitFor(() => silent.listening, { what: 'server' })
    const { port } = silent.address() as { port: number }
    const limits = { connectMs: 300, answerMs: 300, jobMs: 300 }
    expect((await check(`https://127.0.0.1:${port}`, { limits })).first).toMatchObject({
      name: 'tls',
      kind: 'reach',
    })
  })
})

describe('checks that are stopped', () => {
  it('leave no job behind', async () => {
    const controller = new AbortController()
    const {
      interrupted,
      results,
      left: known,
    } = await check(node.url, {
      signal: controller.signal,
      onStart: (name) => {
        if (name === 'cancel') setImmediate(() => controller.abort(new Error('Ctrl-C')))
      },
    })
    expect({ interrupted, known }).toEqual({ interrupted: true, known: [] })
    expect(results.at(-1)?.name).toBe('download')
    await waitFor(() => left().length === 0, { what: 'removal of the jobs' })
  })
})
