import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodePaths } from '../../src/setup/paths.js'
import type { ServiceControl, ServiceStatus } from '../../src/setup/services/service-control.js'
import type { NodePaths } from '../../src/setup/types.js'
import { waitHealthy } from '../../src/setup/verify/wait-healthy.js'
import { type Script, startScriptedNode } from '../check/scripted-node.js'
import { freePort } from '../helpers/free-port.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const signal = new AbortController().signal

async function configured(port: number | string): Promise<NodePaths> {
  const paths = nodePaths(await tempDirectory(), undefined)
  await mkdir(paths.etc)
  await writeFile(paths.appYml, `private_token: foo\nstaging_directory: ${join(paths.var, 'jobs')}\n`)
  // Only the section of mode uwsgi says where.
  await writeFile(paths.serverIni, `[server:main]\nport = 1\n[uwsgi]\nhttp = 127.0.0.1:${port}\n`)
  return paths
}

const portOf = (url: string): string => new URL(url).port

/** A service whose manager says these states one after another, the last for ever. */
function fakeControl(...states: ServiceStatus[]): ServiceControl {
  return {
    manager: 'Supervisor',
    commandFor: (action) => `supervisorctl ${action} pulsar`,
    async start() {},
    async stop() {},
    async restart() {},
    async status() {
      return (states.length > 1 ? states.shift() : states[0]) ?? 'unknown'
    },
    async explain() {
      return 'FATAL Exited too quickly'
    },
    async lastLogLines() {
      return ['magnetar: app.yml:3: expected a number', '  Fix: correct it']
    },
  }
}

describe('waiting for a node', () => {
  it('ends when it answers with its token', async () => {
    let refusals = 2
    const script: Script = {
      'GET /healthz': () =>
        refusals-- > 0 ? { status: 503, text: 'not yet' } : { text: '{"version":"0.16.0"}' },
    }
    const { url, calls } = await startScriptedNode(script)
    const healthy = await waitHealthy({
      paths: await configured(portOf(url)),
      control: fakeControl('running'),
      signal,
    })
    expect(healthy.url).toBe(url)
    expect(calls).toHaveLength(3)
  })

  it('ends as soon as its service has failed, with the cause and what to do', async () => {
    const paths = await configured(await freePort())
    const control = fakeControl('running', 'failed')
    // Only the failure can end it in time.
    const failure = waitHealthy({ paths, control, signal, timeoutMs: 600_000 })
    await expect(failure).rejects.toMatchObject({
      code: 'SERVICE_FAILED',
      message:
        'Supervisor started pulsar, but it does not run (FATAL Exited too quickly). Its last lines:\n' +
        '    | magnetar: app.yml:3: expected a number\n    |   Fix: correct it',
      fix: 'Correct that, then: supervisorctl restart pulsar',
    })
  })

  it('ends when the time is up, with the last lines of its log', async () => {
    const paths = await configured(await freePort())
    const failure = waitHealthy({ paths, control: fakeControl('running'), signal, timeoutMs: 100 })
    await expect(failure).rejects.toMatchObject({
      code: 'SERVICE_FAILED',
      message: expect.stringMatching(/does not answer: no answer from http:.*\| {3}Fix: correct it/s),
    })
  })

  it.each<[string, Script, string | undefined, RegExp]>([
    ['another node', {}, 'bar', /refuses the token of app.yml/],
    ['another program', { 'GET /healthz': { status: 404, text: '' } }, 'foo', /is no Pulsar: it answers 404/],
    ['another program that likes all', { 'GET /healthz': { text: '<html>' } }, 'foo', /is no Pulsar/],
  ])('ends at once when %s has the port', async (_what, script, token, words) => {
    const { url } = await startScriptedNode(script, token)
    const paths = await configured(portOf(url))
    const failure = waitHealthy({ paths, control: fakeControl('running'), signal, timeoutMs: 600_000 })
    await expect(failure).rejects.toMatchObject({
      code: 'SERVICE_FAILED',
      message: expect.stringMatching(words),
    })
  })

  it('ends when nobody waits any more', async () => {
    const paths = await configured(await freePort())
    const controller = new AbortController()
    const reason = new Error('Ctrl-C')
    const waiting = waitHealthy({ paths, control: fakeControl('running'), signal: controller.signal })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })

  it('does not begin with a configuration that the server could not read', async () => {
    const waiting = waitHealthy({ paths: await configured('many'), control: fakeControl('running'), signal })
    await expect(waiting).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
