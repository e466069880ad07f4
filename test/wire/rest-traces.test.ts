import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { startServer } from '../http/fake-node.js'
import { exchangeBytes, parseReplies } from '../http/wire-client.js'

/**
 * Requests as the clients of pulsar-app 0.16.0 put them on the wire (recorded on 2026-11-22), and what they need of the reply: the
 * status and a body they can parse. No client looks at headers of a success but those that frame the body.
 */
const URLLIB =
  'Accept-Encoding: identity\r\nHost: 127.0.0.1:8913\r\nUser-Agent: Python-urllib/3.11\r\nConnection: close\r\n'
const CURL = 'Host: 127.0.0.1:8913\r\nUser-Agent: PycURL/7.49.0 libcurl/8.23.0\r\nAccept: */*\r\n'
const FORM = 'Content-Type: application/x-www-form-urlencoded\r\n'
/** PycURL keeps its connection, and closes it itself: a last request stands for that. */
const END = 'GET /end HTTP/1.1\r\nConnection: close\r\n\r\n'

const SUBMIT =
  '/jobs/7001/submit?command_line=python+%22S%2F7001%2Ftool_files%2Fscript.py%22+2%3E+..%2Fmetadata%2Ftool_stderr&job_id=7001' +
  '&remote_staging=%7B%22action_mapper%22%3A+%7B%22default_action%22%3A+%22transfer%22%2C+%22files_endpoint%22%3A+null%7D%7D' +
  '&submit_extras=%7B%22touch_outputs%22%3A+%5B%5D%7D' +
  '&dynamic_file_sources=%5B%7B%22type%22%3A+%22galaxy%22%2C+%22path%22%3A+%22galaxy.json%22%7D%5D'

async function reply(port: number, ...parts: string[]): Promise<{ status: number; text: string }> {
  const [first] = parseReplies(await exchangeBytes(port, ...parts), parts[0]?.split(' ')[0])
  return { status: first?.status ?? 0, text: first?.text ?? '' }
}

describe('urllib transport', () => {
  it('setup: POST with Content-Length 0', async () => {
    const { port } = await startServer()
    const target = '/jobs?job_id=7001&tool_id=client_test&tool_version=1.0&use_metadata=true'
    const { status, text } = await reply(
      port,
      `POST ${target} HTTP/1.1\r\n${URLLIB}Content-Length: 0\r\n\r\n`,
    )
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({ job_id: '7001', tool_id: 'client_test', tool_version: '1.0' })
  })

  it('upload: raw bytes called a form, headers and body in two segments', async () => {
    const { port, base } = await startServer()
    const target = '/jobs/7001/files?job_id=7001&name=dataset_0_files%2Finput_subdir%2Fextra&type=input'
    const { status, text } = await reply(
      port,
      `POST ${target} HTTP/1.1\r\n${URLLIB}${FORM}Content-Length: 21\r\n\r\n`,
      'Hello world input!!@!',
    )
    const stored = path.join(base('7001', 'input'), 'dataset_0_files/input_subdir/extra')
    expect([status, JSON.parse(text)]).toEqual([200, { path: stored }])
    expect(await readFile(stored, 'utf8')).toBe('Hello world input!!@!')
  })

  it('submit, cancel and clean: exactly OK', async () => {
    const { port, manager } = await startServer()
    const zero = `${URLLIB}Content-Length: 0\r\n\r\n`
    expect(await reply(port, `POST ${SUBMIT} HTTP/1.1\r\n${zero}`)).toEqual({ status: 200, text: 'OK' })
    expect(manager.submitted[0]).toMatchObject({
      command_line: 'python "S/7001/tool_files/script.py" 2> ../metadata/tool_stderr',
      remote_staging: { action_mapper: { default_action: 'transfer', files_endpoint: null } },
      dynamic_file_sources: [{ type: 'galaxy', path: 'galaxy.json' }],
      touch_outputs: [],
    })
    for (const line of ['PUT /jobs/7001/cancel?job_id=7001', 'DELETE /jobs/7001?job_id=7001'])
      expect(await reply(port, `${line} HTTP/1.1\r\n${zero}`)).toEqual({ status: 200, text: 'OK' })
  })

  it('status: complete is the text "false"', async () => {
    const { port } = await startServer()
    const { status, text } = await reply(port, `GET /jobs/7001/status?job_id=7001 HTTP/1.1\r\n${URLLIB}\r\n`)
    expect([status, JSON.parse(text)]).toEqual([
      200,
      { complete: 'false', status: 'running', job_id: '7001' },
    ])
  })

  it('download: the bytes, also of an empty file', async () => {
    const { port, base } = await startServer()
    await mkdir(base('7001', 'output_workdir'), { recursive: true })
    await writeFile(path.join(base('7001', 'output_workdir'), 'env_test'), 'DEFAULT')
    await writeFile(path.join(base('7001', 'output_workdir'), 'empty'), '')
    for (const [name, text] of [
      ['env_test', 'DEFAULT'],
      ['empty', ''],
    ] as const) {
      const target = `/jobs/7001/files?name=${name}&job_id=7001&type=output_workdir`
      expect(await reply(port, `GET ${target} HTTP/1.1\r\n${URLLIB}\r\n`)).toEqual({ status: 200, text })
    }
  })

  it('a call without arguments ends in a question mark', async () => {
    const { port } = await startServer()
    expect((await reply(port, `GET /healthz? HTTP/1.1\r\n${URLLIB}\r\n`)).text).toBe('{"version":"0.16.0"}')
  })
})

describe('curl transport', () => {
  it('setup and submit: POST with neither length nor body, on a connection that is kept', async () => {
    const { port } = await startServer()
    const setup = `POST /jobs?job_id=7002&use_metadata=true HTTP/1.1\r\n${CURL}\r\n`
    const bytes = await exchangeBytes(port, setup, `POST ${SUBMIT} HTTP/1.1\r\n${CURL}\r\n`, END)
    const replies = parseReplies(bytes)
    expect(replies.map((each) => each.status)).toEqual([200, 200, 404])
    expect(replies[0]?.headers.connection).toBe('keep-alive')
  })

  it('upload: headers and body in one segment, and a large one that waits for 100 Continue', async () => {
    const { port } = await startServer()
    const target = '/jobs/7002/files?job_id=7002&name=a&type=input'
    expect(
      (await reply(port, `POST ${target} HTTP/1.1\r\n${CURL}Content-Length: 4\r\n\r\nabcd${END}`)).status,
    ).toBe(200)
    const large = `POST ${target} HTTP/1.1\r\n${CURL}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`
    const replies = parseReplies(await exchangeBytes(port, large, 'abcd', END))
    expect(replies.map((each) => each.status)).toEqual([100, 200, 404])
  })
})

describe('caching client', () => {
  it('claims, uploads, asks, uses', async () => {
    const cacheDirectory = await startServer().then(({ manager }) => manager.staging)
    const { port } = await startServer({ cacheDirectory })
    const query = 'path=T%2Ft%2Fscript.py'
    const zero = `${URLLIB}Content-Length: 0\r\n\r\n`
    expect((await reply(port, `PUT /cache?${query} HTTP/1.1\r\n${zero}`)).text).toBe('true')
    const upload = `POST /cache?${query} HTTP/1.1\r\n${URLLIB}${FORM}Content-Length: 3\r\n\r\n`
    expect((await reply(port, upload, 'abc')).text).toBe('null')
    const { token, ready } = JSON.parse(
      (await reply(port, `GET /cache/status?${query} HTTP/1.1\r\n${URLLIB}\r\n`)).text,
    )
    expect(ready).toBe(true)
    const use = `/jobs/7003/files?job_id=7003&name=script.py&type=input&cache_token=${token}`
    expect((await reply(port, `POST ${use} HTTP/1.1\r\n${zero}`)).status).toBe(200)
  })
})

describe('requests the real server refuses, closes on, or worse', () => {
  it.each([
    ['GET /healthz/', 404],
    ['HEAD /jobs/1/cancel', 404],
    ['POST /jobs', 400],
    ['POST /jobs/1/submit?command_line=x&env=nonsense', 400],
    ['POST /jobs/1/files?name=x&type=legacy', 400],
    ['GET /jobs/1/files?name=absent', 404],
    ['GET /jobs/1/files?name=../metadata/x', 400],
    ['GET /managers/nosuch/healthz', 404],
  ])('%s is %i', async (line, status) => {
    const { port } = await startServer()
    expect((await reply(port, `${line} HTTP/1.1\r\nConnection: close\r\n\r\n`)).status).toBe(status)
  })
})
