import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { adoptByScript } from '../../src/schedulers/foreign-process.js'
import { findScriptProcess, identify, readProcess } from '../../src/schedulers/process-table.js'
import { killTree } from '../../src/schedulers/process-tree.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const SCRIPT = 'echo there; read -r line\n'
/** Runs the same script at the same path, in another directory. */
const CONTAINER = 'p=$(cat "$1"); mount -t tmpfs tmpfs "${1%/*}"; echo "$p" > "$1"; exec bash "$1"'
const mayMount = spawnSync('unshare', ['-m', 'true']).status === 0

async function writeScript(): Promise<{ readonly directory: string; readonly script: string }> {
  const directory = join(await tempDirectory(), '7')
  mkdirSync(directory)
  const script = join(directory, 'script.sh')
  writeFileSync(script, SCRIPT)
  return { directory, script }
}

async function start(env: Record<string, string>, ...argv: readonly string[]): Promise<ChildProcess> {
  const [program = '', ...args] = argv
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout as NodeJS.EventEmitter, 'data')
  return child
}

describe('the process of a script', () => {
  it('is found by the command line', async () => {
    const { script } = await writeScript()
    const { pid } = await start({}, 'bash', script)
    expect(findScriptProcess(script)).toEqual(identify(pid ?? 0))
  })

  it.skipIf(!mayMount)('is not that of a container with another script of the same path', async () => {
    const { directory, script } = await writeScript()
    await start({}, 'unshare', '-m', 'sh', '-c', CONTAINER, 'sh', script)
    expect(findScriptProcess(script)).toBeUndefined()
    expect(await adoptByScript({ directory, script })).toBe(false)
  })

  it.skipIf(!mayMount)(
    'is ended without the processes of a container whose job has the same directory',
    async () => {
      const { directory, script } = await writeScript()
      const env = { _GALAXY_JOB_DIR: directory }
      const ours = await start(env, 'bash', script)
      const daemon = await start(env, 'setsid', 'bash', script)
      const theirs = await start(env, 'unshare', '-m', 'sh', '-c', CONTAINER, 'sh', script)
      const { pid = 0 } = ours
      const left = await killTree(
        { pid, startTime: readProcess(pid)?.startTime ?? 0 },
        { graceMs: 0, marker: `_GALAXY_JOB_DIR=${directory}`, hurry: new AbortController().signal },
      )
      expect(left).toEqual([])
      expect(readProcess(daemon.pid ?? 0)).toBeUndefined()
      expect(readProcess(theirs.pid ?? 0)).toBeDefined()
    },
  )
})
