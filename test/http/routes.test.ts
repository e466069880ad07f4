import { describe, expect, it } from 'vitest'
import { statusOf } from '../../src/http/reply.js'
import { ERRORS } from '../../src/lib/error-table.js'
import { startServer } from './fake-node.js'
import { codeOf, exchangeBytes, parseReplies, send } from './wire-client.js'

const KNOWN = [
  ['GET', '/healthz'],
  ['POST', '/jobs?job_id=7'],
  ['GET', '/jobs/7/status'],
  ['POST', '/jobs/7/status'],
  ['PROPFIND', '/jobs/7/status'],
  ['PUT', '/jobs/7/cancel'],
  ['DELETE', '/jobs/7'],
  ['POST', '/jobs/7/submit?command_line=true'],
  ['GET', '/jobs/7/files/path?name=a&type=output'],
] as const

describe('routes', () => {
  it.each(KNOWN)('answers %s %s, with and without the manager in the path', async (method, target) => {
    const { port } = await startServer()
    expect((await send(port, method, target)).status).toBe(200)
    expect((await send(port, method, `/managers/second${target}`)).status).toBe(200)
    expect(codeOf(await send(port, method, `/managers/nosuch${target}`))).toBe('404 MANAGER_UNKNOWN')
  })

  it.each([
    ['GET', '/nope'],
    ['GET', '/'],
    ['GET', ''],
    ['POST', '/healthz'],
    ['GET', '/healthz/'],
    ['GET', '//healthz'],
    ['GET', '/jobs'],
    ['GET', '/jobs//status'],
    ['GET', '/jobs/7/status/'],
    ['GET', '/jobs/a%2Fb/status'],
    ['POST', '/jobs/7/cancel'],
    ['GET', '/jobs/7'],
    ['GET', '/managers//healthz'],
    ['GET', '/managers/second'],
    ['GET', '/managers/a%2Fb/healthz'],
    ['GET', '/objects/1/exists'],
    ['OPTIONS', '/healthz'],
  ])('has no %s %s', async (method, target) => {
    const { port } = await startServer({ privateToken: 'secret' })
    expect(codeOf(await send(port, method, target || '*'))).toBe('404 ROUTE_UNKNOWN')
  })

  it('has no HEAD but for files', async () => {
    const { port } = await startServer()
    expect((await send(port, 'HEAD', '/healthz')).status).toBe(404)
    expect((await send(port, 'HEAD', '/jobs/7/files?name=a')).status).toBe(404)
  })

  it('matches the percent-decoded path and the absolute form', async () => {
    const { port } = await startServer()
    const spaced = await send(port, 'GET', '/%6aobs/a%20%C3%A9+b/status')
    expect(JSON.parse(spaced.text)).toMatchObject({ job_id: 'a é+b' })
    expect((await send(port, 'GET', 'http://other:1/healthz')).status).toBe(200)
    expect(codeOf(await send(port, 'GET', '/jobs/%ff/status'))).toBe('400 BAD_REQUEST')
  })

  it('answers healthz for a node without a default manager, but nothing else unprefixed', async () => {
    const { port } = await startServer({ managers: new Map() })
    expect((await send(port, 'GET', '/healthz')).text).toBe('{"version":"0.16.0"}')
    expect(codeOf(await send(port, 'GET', '/jobs/7/status'))).toBe('404 MANAGER_UNKNOWN')
  })

  it('ignores the job id, manager and unknown parameters of the query', async () => {
    const { port } = await startServer()
    const reply = await send(port, 'GET', '/jobs/7/status?job_id=8&manager=x&file_cache=y')
    expect(JSON.parse(reply.text)).toMatchObject({ job_id: '7' })
  })

  it('serves HTTP/1.0, a request without Host, and pipelined requests in order', async () => {
    const { port } = await startServer()
    expect((await send(port, 'GET', '/healthz', { version: '1.0' })).status).toBe(200)
    expect(
      parseReplies(await exchangeBytes(port, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n')),
    ).toHaveLength(1)
    const ids = Array.from({ length: 20 }, (_, i) => `job${i}`)
    const bytes = ids.map((id) => `GET /jobs/${id}/status HTTP/1.1\r\n\r\n`).join('')
    const last = 'GET /nope HTTP/1.1\r\nConnection: close\r\n\r\n'
    const replies = parseReplies(await exchangeBytes(port, bytes + last))
    expect(replies.slice(0, -1).map((reply) => JSON.parse(reply.text).job_id)).toEqual(ids)
    expect(replies.at(-1)?.status).toBe(404)
  })

  it('takes a request target of several MiB', async () => {
    const { port, manager } = await startServer()
    const env = [{ name: 'BIG', value: 'é ;&+%'.repeat(300_000) }]
    const target = `/jobs/7/submit?command_line=true&env=${encodeURIComponent(JSON.stringify(env))}`
    expect(target.length).toBeGreaterThan(4 * 1024 * 1024)
    expect((await send(port, 'POST', target)).text).toBe('OK')
    expect(manager.submitted[0]?.env).toEqual(env)
  })
})

describe('token', () => {
  const cases: [string, string, Record<string, string>, number][] = [
    ['none', '', {}, 401],
    ['a wrong one', '?private_token=wrong', {}, 401],
    ['one that is not UTF-8', '?private_token=%ff', {}, 401],
    ['a prefix', '?private_token=s+cre', {}, 401],
    ['the right one', '?private_token=s+cret', {}, 200],
    ['the right one last', '?private_token=no&private_token=s%20cret', {}, 200],
    ['a wrong bearer', '', { Authorization: 'Bearer wrong' }, 401],
    ['another scheme', '', { Authorization: 'Basic s cret' }, 401],
  ]
  it.each(cases)('%s', async (_what, query, headers, status) => {
    const { port } = await startServer({ privateToken: 's cret' })
    const reply = await send(port, 'GET', `/healthz${query}`, { headers })
    expect(reply.status).toBe(status)
    if (status === 401) expect(codeOf(reply)).toBe('401 TOKEN_REQUIRED')
  })

  it('is taken as a bearer token', async () => {
    const { port } = await startServer({ privateToken: 'secret' })
    for (const value of ['Bearer secret', 'bearer  secret'])
      expect((await send(port, 'GET', '/healthz', { headers: { Authorization: value } })).status).toBe(200)
  })

  it('is checked after the route and before manager and parameters', async () => {
    const { port } = await startServer({ privateToken: 'secret' })
    expect((await send(port, 'GET', '/nope')).status).toBe(404)
    expect((await send(port, 'GET', '/managers/nosuch/healthz')).status).toBe(401)
    expect((await send(port, 'POST', '/jobs')).status).toBe(401)
    expect(codeOf(await send(port, 'POST', '/jobs?private_token=secret'))).toBe('400 BAD_REQUEST')
  })

  it('is asked for by nobody when it is empty', async () => {
    const { port } = await startServer({ privateToken: '' })
    expect((await send(port, 'GET', '/healthz')).status).toBe(200)
  })

  it('is in no log line and no answer', async () => {
    const { port, lines } = await startServer({ privateToken: 'secret' })
    const replies = [
      await send(port, 'POST', '/jobs/explodes/submit?command_line=x&private_token=secret'),
      await send(port, 'GET', '/nope?private_token=secret'),
      await send(port, 'GET', '/healthz', { headers: { Authorization: 'Bearer secret' } }),
    ]
    expect(JSON.stringify([lines, replies.map((reply) => reply.text)])).not.toContain('secret"')
    expect(lines.map((line) => line.fields.path)).toContain('/jobs/explodes/submit')
    expect(JSON.stringify(lines)).not.toContain('private_token')
  })
})

describe('errors', () => {
  it('has a status between 400 and 599 for every code', () => {
    for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) {
      expect(statusOf(code)).toBeGreaterThanOrEqual(400)
      expect(statusOf(code)).toBeLessThan(600)
    }
  })

  it.each([
    ['POST', '/jobs', '400 BAD_REQUEST'],
    ['GET', '/jobs/7/files', '400 BAD_REQUEST'],
    ['POST', '/jobs/7/files?name=x', '400 BAD_REQUEST'],
    ['POST', '/jobs/7/files?name=x&type=legacy', '400 FILE_TYPE_INVALID'],
    ['POST', '/jobs/7/files?name=&type=input', '400 FILE_NAME_INVALID'],
    ['GET', '/jobs/%2e%2e/files?name=x', '400 JOB_ID_INVALID'],
    ['GET', '/jobs/7/files?name=../x', '400 FILE_OUTSIDE_JOB'],
    ['GET', '/jobs/7/files?name=absent', '404 FILE_NOT_FOUND'],
    ['POST', '/jobs/missing/submit?command_line=x', '400 JOB_NOT_SET_UP'],
    ['POST', '/jobs/full/submit?command_line=x', '507 DISK_FULL'],
    ['POST', '/jobs/explodes/submit?command_line=x', '500 INTERNAL'],
    ['PUT', '/cache?path=/x', '404 CACHE_DISABLED'],
  ])('%s %s is %s', async (method, target, code) => {
    const { port } = await startServer()
    expect(codeOf(await send(port, method, target))).toBe(code)
  })

  it('keeps the reason of an unexpected failure in the log, under an id the client gets too', async () => {
    const { port, lines } = await startServer()
    const reply = await send(port, 'POST', '/jobs/explodes/submit?command_line=x')
    const { request } = JSON.parse(reply.text)
    expect(reply.text).not.toMatch(/secret detail|passwd|\bat \//)
    const line = lines.find((each) => each.level === 'error')
    expect(line?.fields).toMatchObject({
      request,
      job: 'explodes',
      status: 500,
      reason: 'secret detail at /etc/passwd',
    })
    expect(line?.fields.stack).toContain('fake-node')
  })

  it('warns of a full disk', async () => {
    const { port, lines } = await startServer()
    await send(port, 'POST', '/jobs/full/submit?command_line=x')
    expect(lines.find((each) => each.level === 'warn')?.fields).toMatchObject({
      status: 507,
      code: 'DISK_FULL',
    })
  })

  it.each([
    ['no HTTP at all', 'hello\r\n\r\n', '400 BAD_REQUEST'],
    [
      'two lengths',
      'POST /jobs HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      '400 BAD_REQUEST',
    ],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', '404 ROUTE_UNKNOWN'],
    ['headers beyond every bound', `GET /${'a'.repeat(18 * 1024 * 1024)}`, '431 REQUEST_TOO_LARGE'],
  ])('answers %s', async (_what, bytes, code) => {
    const { port } = await startServer()
    const [reply] = parseReplies(await exchangeBytes(port, bytes))
    expect(reply && codeOf(reply)).toBe(code)
  })
})
