import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { expect } from 'vitest'
import { createPulsarClient } from './pulsar-client.js'
import type { ServerProcess } from './server-process.js'
import { waitFor } from './wait-for.js'

/**
 * Submits `count` jobs, kills the server with SIGKILL while some of them run and some wait, starts it again and lets them go on:
 * every job ends right, and none has run twice.
 */
export async function expectNothingLost(
  start: () => Promise<ServerProcess>,
  directory: string,
  count: number,
): Promise<void> {
  const runs = path.join(directory, 'runs')
  const go = path.join(directory, 'go')
  await mkdir(runs)
  const ids = Array.from({ length: count }, (_, index) => `kill-${index}`)
  const first = await start()
  const client = createPulsarClient(first.url)
  await Promise.all(
    ids.map(async (id) => {
      const job = await client.setup(id)
      const wait = `until [ -e '${go}' ]; do sleep 0.05; done`
      await client.submit(
        id,
        `echo run >> '${runs}/${id}'; ${wait}; echo ${id} > '${job.outputs_directory}/out'; (exit 7)`,
      )
    }),
  )
  await waitFor(() => ids.some((id) => existsSync(path.join(runs, id))), {
    what: 'first running job',
    timeoutMs: 30_000,
  })
  await first.kill9()

  const second = createPulsarClient((await start()).url)
  writeFileSync(go, '')
  for (const id of ids) {
    const status = await second.untilDone(id)
    expect(status).toMatchObject({ status: 'complete', returncode: 7, outputs_directory_contents: ['out'] })
    expect(readFileSync(path.join(runs, id), 'utf8')).toBe('run\n')
  }
}
