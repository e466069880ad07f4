import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { findJobProcesses } from '../../src/schedulers/processes-probe.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

function start(directory: string, command: string, ...args: string[]): ChildProcess {
  const child = spawn(command, args, {
    env: { ...process.env, _GALAXY_JOB_DIR: directory },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

it('finds what runs for jobs of this staging directory', async () => {
  const staging = await tempDirectory()
  const { pid } = start(path.join(staging, '7'), 'sleep', '60')
  const found = await waitFor(
    async () => {
      const processes = await findJobProcesses([staging])
      return processes.length > 0 && processes
    },
    { what: 'process of the job' },
  )
  expect(found).toEqual([{ pid, directory: path.join(staging, '7') }])
})

it('leaves out jobs of a container that has another directory of the same path', async (context) => {
  if (spawnSync('unshare', ['-m', 'true']).status !== 0) return context.skip('no mount namespaces here')
  const staging = path.join(await tempDirectory(), 'staging')
  mkdirSync(staging)
  const script = `mount -t tmpfs tmpfs '${staging}' && echo there && exec sleep 60`
  const child = start(path.join(staging, '7'), 'unshare', '-m', 'sh', '-c', script)
  await new Promise((resolve) => child.stdout?.once('data', resolve))
  expect(await findJobProcesses([staging])).toEqual([])
})
