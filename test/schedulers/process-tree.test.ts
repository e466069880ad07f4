import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { readProcess, readProcesses } from '../../src/schedulers/process-table.js'
import { killTree } from '../../src/schedulers/process-tree.js'
import { tempDirectory } from '../helpers/temp-directory.js'

vi.mock('../../src/schedulers/process-table.js', { spy: true })

/** Survives SIGTERM; told to, it leaves a child behind. */
const FORKER = `
  trap : TERM; echo there
  until [ -e "$1/go" ]; do sleep 0.01; done
  sleep 600 & echo "$!" > "$1/child"
`

async function startForker(directory: string): Promise<number> {
  const forker = spawn('bash', ['-c', FORKER, 'bash', directory], {
    env: { ...process.env, _GALAXY_JOB_DIR: directory },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  onTestFinished(() => {
    try {
      process.kill(-(forker.pid ?? 0), 'SIGKILL')
    } catch {
      // As it should be.
    }
  })
  await once(forker.stdout, 'data')
  return forker.pid ?? 0
}

it('ends also what was forked between the listing of processes and the look at the one that forked it, which then ended', async () => {
  const directory = await tempDirectory()
  const pid = await startForker(directory)
  const root = { pid, startTime: readProcess(pid)?.startTime ?? 0 }
  const { readProcesses: look } = await vi.importActual<{ readProcesses: typeof readProcesses }>(
    '../../src/schedulers/process-table.js',
  )
  vi.mocked(readProcesses)
    .mockImplementationOnce(look)
    .mockImplementationOnce(() => {
      const listed = look()
      writeFileSync(join(directory, 'go'), '')
      while (readProcess(pid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
      return listed.filter((entry) => readProcess(entry.pid)?.startTime === entry.startTime)
    })
  const marker = `_GALAXY_JOB_DIR=${directory}`
  const left = await killTree(root, { graceMs: 5000, marker, hurry: new AbortController().signal })
  expect(left).toEqual([])
  expect(readProcess(Number(readFileSync(join(directory, 'child'), 'utf8')))).toBeUndefined()
})
