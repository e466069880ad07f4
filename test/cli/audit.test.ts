import path, { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { appendEvent } from '../../src/jobs/journal/note.js'
import { runCommand } from '../../src/lib/exec.js'
import { openLevelStore } from '../../src/store/level-store.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'

const ENV = { ...process.env, NO_COLOR: '1', MAGNETAR_PREFIX: '', PULSAR_CONFIG_DIR: '' }

it('magnetar audit proves a running node, a killed one and a restarted one, and finds what is broken', async () => {
  const directory = await tempDirectory()
  const app = { managers: { _default_: { type: 'queued_python', num_concurrent_jobs: 2 } } }
  const audit = (...words: string[]) =>
    runCommand(process.execPath, [resolve('bin', 'magnetar.js'), 'audit', ...words, '--config', directory], {
      timeoutMs: 60_000,
      env: ENV,
      cwd: directory,
    })
  const server = await startMagnetar({ directory, app })
  const client = createPulsarClient(server.url)
  for (const id of ['one', 'two', 'three']) await client.setup(id)
  await client.submit('one', 'exit 3')
  await client.untilDone('one')
  await client.submit('two', "until [ -e '../../go' ]; do sleep 0.1; done")
  await client.submit('three', 'true')
  await client.untilDone('three')
  await client.clean('three')
  await waitFor(async () => (await client.status('two')).status === 'running', { what: 'two runs' })
  const running = await audit()
  expect(running).toMatchObject({ code: 0, stderr: '' })
  expect(running.stdout).toMatch(/^Jobs +3: 1 unfinished, 1 over and not cleaned$/m)
  expect(running.stdout).toMatch(/^Starts +1, none after a crash\nNothing is broken\.$/m)

  await server.kill9()
  expect(await audit()).toMatchObject({ code: 0 })
  const again = await startMagnetar({ directory, app })
  await createPulsarClient(again.url).cancel('two')
  const one = await audit('--job', 'one')
  expect(one.stdout).toMatch(/^Starts +2, 1 after a crash$/m)
  for (const text of ['submit on disk and acknowledged', 'launched as one', 'ended: complete, return code 3'])
    expect(one.stdout).toContain(text)
  expect((await audit('--job', 'nobody')).code).toBe(1)
  expect((await audit('--since', 'yesterday')).code).toBe(2)
  await again.stop()

  const store = await openLevelStore(path.join(directory, 'persisted_data', 'magnetar-store'))
  const job = { manager: '_default_', job: 'one', atMs: Date.now() }
  await store.write([appendEvent({ ...job, kind: 'launched', externalId: 'one' })])
  await store.close()
  const broken = await audit()
  expect(broken.code).toBe(6)
  expect(broken.stdout).toContain('Job one: was launched after it was over\n')
  expect(broken.stdout).toContain('Promised: a job runs at most once per submit [launched-once]')
  const json = JSON.parse((await audit('--json')).stdout)
  expect(json).toMatchObject({ ok: false, running: false, examined: { starts: 2, afterCrash: 1 } })
  expect(json.violations[0].timeline.at(-1).text).toBe('launched as one')
})
