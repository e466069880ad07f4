import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../helpers/job-files/content.js'
import { startJobFilesServer } from '../helpers/job-files-server.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'

const STDOUT = '/galaxy/7/outputs/tool_stdout'

/** A job that writes 60 lines in three seconds, on a server that sends them on; it ends when it is let go. */
async function startWritingJob() {
  const directory = await tempDirectory()
  const galaxy = await startJobFilesServer()
  const start = () =>
    startMagnetar({
      directory,
      app: { send_stdout_update: true, stdout_update_interval: 0.05, stdout_update_chunk_size: 200 },
    })
  const server = await start()
  const client = createPulsarClient(server.url)
  await client.setup('7')
  const go = path.join(directory, 'go')
  const script = `for i in $(seq 60); do printf 'line %d of 60\\n' $i; sleep 0.05; done; until [ -e '${go}' ]; do sleep 0.05; done`
  await client.submit('7', `{ ${script}; } > ../metadata/tool_stdout 2> ../metadata/tool_stderr`, {
    action_mapper: { default_action: 'remote_transfer', files_endpoint: galaxy.endpoint, paths: [] },
    client_outputs: { working_directory: '/galaxy/7/working', output_files: [] },
  })
  const file = (name: string): string => readFileSync(path.join(directory, 'staging/7', name), 'utf8')
  const letGo = (): void => writeFileSync(go, '')
  return {
    galaxy,
    start,
    server,
    file,
    letGo,
    sent: () => galaxy.uploads.get(STDOUT)?.content?.toString() ?? '',
  }
}

const all = Array.from({ length: 60 }, (_, at) => `line ${at + 1} of 60\n`).join('')

describe('live output, killed', { timeout: 60_000 }, () => {
  it('between two updates goes on where it was: together they are the output', async () => {
    const { galaxy, start, server, file, letGo, sent } = await startWritingJob()
    await waitFor(() => sent().length > 300, { what: 'output at Galaxy' })
    // Only then is it known what Galaxy has; and after some refusals the next update is not soon.
    galaxy.plan = () => ({ kind: 'status', status: 503, late: true })
    const { length } = galaxy.log
    await waitFor(
      () => galaxy.log.length > length + 5 && !file('live_output_state').includes('"inDoubt":true'),
      {
        what: 'refusal',
      },
    )
    await server.kill9()
    galaxy.plan = () => undefined
    const before = sent().length
    const client = createPulsarClient((await start()).url)
    await waitFor(() => sent().length > before, { what: 'more output at Galaxy' })
    expect((await client.status('7')).status).toBe('running')
    letGo()
    expect(await client.untilDone('7')).toMatchObject({ status: 'complete', stdout: null, stderr: null })
    expect(sent()).toBe(all)
  })

  it('when Galaxy has taken an update and has not said so: the final status has all', async () => {
    const { galaxy, start, server, letGo, sent } = await startWritingJob()
    await waitFor(() => sent().length > 100, { what: 'output at Galaxy' })
    await new Promise<void>((resolve, reject) => {
      galaxy.events.once('stored', () => server.kill9().then(resolve, reject))
    })
    const client = createPulsarClient((await start()).url)
    letGo()
    expect(await client.untilDone('7')).toMatchObject({ status: 'complete', stdout: all, stderr: '' })
  })

  it('at any moment, again and again: the output is at Galaxy, or in the final status', async () => {
    const { galaxy, start, server, letGo, sent } = await startWritingJob()
    const random = createRandom(5)
    let running = server
    for (let kill = 0; kill < 4; kill++) {
      const { length } = galaxy.log
      await waitFor(() => galaxy.log.length > length + Math.floor(random() * 4), { what: 'update' })
      await new Promise((resolve) => setTimeout(resolve, random() * 30))
      await running.kill9()
      running = await start()
    }
    letGo()
    const { status, stdout } = await createPulsarClient(running.url).untilDone('7')
    expect([status, stdout ?? sent()]).toEqual(['complete', all])
  })
})
