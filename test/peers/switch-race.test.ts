import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { contentOf } from '../helpers/job-files/content.js'
import { startJobFilesServer } from '../helpers/job-files-server.js'
import { needs } from '../helpers/needs.js'
import { createPulledJob, wrongOutputs } from '../helpers/pulled-job.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from './magnetar-server.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { startPythonPulsar } from './python-pulsar.js'

// The Python server goes through its launched jobs while threads bring in inputs of others: one that is through by then it queues again.

const found = findPulsarVenv()

interface TakenUp {
  readonly queued: number
  readonly status: string | null
  readonly runs: string
  readonly wrong: readonly string[]
}

/** What comes of a job whose inputs this server was fetching when it ended, and which the Python server then takes up in the worst order. */
async function takenUpFrom(server: 'magnetar' | 'python'): Promise<TakenUp> {
  if (!found.venv) throw new Error(found.missing)
  const directory = await tempDirectory()
  const galaxy = await startJobFilesServer()
  const runs = join(directory, 'runs')
  const input = { action: 'remote_transfer', content: contentOf('input\n') } as const
  const job = createPulledJob(galaxy, '7', [input], ['remote_transfer'], `echo run >> '${runs}'`)
  galaxy.plan = () => ({ kind: 'hang', after: 3 })
  const options = { directory, app: { managers: { _default_: { num_concurrent_jobs: 4 } } } }
  const first =
    server === 'magnetar' ? await startMagnetar(options) : await startPythonPulsar(found.venv, options)
  const client = createPulsarClient(first.url)
  await client.setup('7')
  await client.submit('7', job.commandLine, job.remoteStaging)
  await waitFor(() => galaxy.log.length > 0, { what: 'request for the input', timeoutMs: 30_000 })
  if (server === 'magnetar') expect(await first.stop()).toBe(0)
  else {
    process.kill(-first.pid, 'SIGKILL')
    await first.kill9()
  }
  galaxy.plan = () => undefined
  const program = fileURLToPath(new URL('recover-late.py', import.meta.url))
  const { exitCode, output } = await runCommand(join(found.venv.bin, 'python'), [program, directory, '7'], {
    cwd: directory,
    timeoutMs: 120_000,
  })
  expect(exitCode, output).toBe(0)
  const told = JSON.parse(output.trim().split('\n').at(-1) ?? '') as Pick<TakenUp, 'queued' | 'status'>
  return {
    ...told,
    runs: existsSync(runs) ? readFileSync(runs, 'utf8') : '',
    wrong: wrongOutputs(galaxy, job),
  }
}

it('a job that Magnetar left in stage-in runs once', needs(found.missing), async () => {
  expect(await takenUpFrom('magnetar')).toEqual({ queued: 1, status: 'complete', runs: 'run\n', wrong: [] })
})

// Without this the other could pass because the moment is not forced any more.
it('one that the Python server itself left there is queued twice', needs(found.missing), async () => {
  expect(await takenUpFrom('python')).toMatchObject({ queued: 2 })
})
